/** Names for what `shared/json.ts` reads, for objects with many fields. */
import { flag, integer, list, record, text, textMap } from "../../../src/shared/json.ts";

/** An object that came from outside. A field of another type counts as absent. */
export interface Fields {
  /** Throws, naming the field, when there is no such string. */
  text(key: string): string;
  optionalText(key: string): string | undefined;
  number(key: string): number | undefined;
  has(key: string): boolean;
  /** Whether it is there and true. */
  flag(key: string): boolean;
  /** An object; an empty one when it is absent. */
  child(key: string): Fields;
  /** A list of objects; an empty one when it is absent. */
  children(key: string): Fields[];
  texts(key: string): string[];
  numbers(key: string): number[];
  /** A map of strings; an empty one when it is absent. */
  map(key: string): Readonly<Record<string, string>>;
}

/** `at` says in errors what was read. */
export function fieldsOf(value: unknown, at: string): Fields {
  const object = record(value);
  return {
    text(key) {
      const found = text(object[key]);
      if (found === undefined) throw new Error(`${at} has no ${key}`);
      return found;
    },
    optionalText: (key) => text(object[key]),
    number: (key) => integer(object[key]),
    has: (key) => object[key] !== undefined && object[key] !== null,
    flag: (key) => flag(object[key]) ?? false,
    child: (key) => fieldsOf(object[key], `${at}.${key}`),
    children: (key) => list(object[key]).map((item, index) => fieldsOf(item, `${at}.${key}[${index}]`)),
    texts: (key) => list(object[key]).filter((item) => typeof item === "string"),
    numbers: (key) => list(object[key]).filter((item) => typeof item === "number"),
    map: (key) => textMap(object[key]),
  };
}

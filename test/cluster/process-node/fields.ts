/** Reads fields by name, with the functions of `shared/json.ts`, for objects with many fields. */
import { flag, integer, list, record, text, textMap } from "../../../src/shared/json.ts";

/** An object from outside. A field of another type counts as absent. */
export interface Fields {
  /** Throws an error that names the field if there is no such string. */
  text(key: string): string;
  optionalText(key: string): string | undefined;
  number(key: string): number | undefined;
  has(key: string): boolean;
  /** Whether the field is present and true. */
  flag(key: string): boolean;
  /** An object; an empty one if absent. */
  child(key: string): Fields;
  /** A list of objects; an empty one if absent. */
  children(key: string): Fields[];
  texts(key: string): string[];
  numbers(key: string): number[];
  /** A map of strings; an empty one if absent. */
  map(key: string): Readonly<Record<string, string>>;
}

/** `at` names in errors what was read. */
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

/**
 * kubectl's templates of JSONPath (https://kubernetes.io/docs/reference/kubectl/jsonpath/, k8s.io/client-go/util/jsonpath), as far as they are
 * about one object or a list: fields, indexes, slices, `[*]`, `..name`, filters with one comparison, quoted text, and `{range}…{end}`.
 * Several results of one expression are separated by a space.
 */
import { KonductorError } from "../shared/errors.ts";

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

export type Template = (value: unknown) => string;

type Select = (values: readonly unknown[]) => unknown[];
type Node = { text: string } | { select: Select } | { range: Select; body: Node[] };

/** Throws `BadRequest` for a template that is malformed, or that uses what kubectl supports and koncli does not. */
export function parseTemplate(source: string): Template {
  const nodes = parseNodes(tokensOf(source));
  return (value) => print(nodes, value);
}

/** Plain text, and what stands between braces. */
function tokensOf(source: string): { text?: string; action?: string }[] {
  const tokens: { text?: string; action?: string }[] = [];
  const PART = /\{((?:[^{}"']|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')*)\}|([^{]+)/gs;
  let end = 0;
  for (const match of source.matchAll(PART)) {
    if (match.index !== end) break;
    end = match.index + match[0].length;
    if (match[1] === undefined) tokens.push({ text: match[2] ?? "" });
    else tokens.push({ action: match[1].trim() });
  }
  if (end < source.length) throw wrong(source.slice(end), "a brace is not closed");
  return tokens;
}

function parseNodes(tokens: { text?: string; action?: string }[], isInRange = false): Node[] {
  const nodes: Node[] = [];
  for (let token = tokens.shift(); token; token = tokens.shift()) {
    const { text, action = "" } = token;
    if (text !== undefined) nodes.push({ text });
    else if (action === "end") {
      if (!isInRange) throw wrong("end", "it ends no range");
      return nodes;
    } else if (/^range\s/.test(action))
      nodes.push({ range: parsePath(action.replace(/^range\s+/, "")), body: parseNodes(tokens, true) });
    else if (/^["']/.test(action)) nodes.push({ text: unquote(action) });
    else nodes.push({ select: parsePath(action) });
  }
  if (isInRange) throw wrong("range", "it has no end");
  return nodes;
}

function print(nodes: readonly Node[], value: unknown): string {
  return nodes
    .map((node) => {
      if ("text" in node) return node.text;
      if ("select" in node) return node.select([value]).map(show).join(" ");
      const { body } = node;
      return node
        .range([value])
        .flatMap((found) => (Array.isArray(found) ? found : [found]))
        .map((found) => print(body, found))
        .join("");
    })
    .join("");
}

function show(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

const STEP =
  /^(?:\.\.([\w-]+|\*)|\.((?:[\w/-]|\\.)+|\*)|\[(\*|-?\d+|-?\d*:-?\d*)\]|\[(?:'([^']*)'|"([^"]*)")\]|\[\?\((.*?)\)\]|([$@]))/s;

/** A path relative to the value it is applied to: `$` and `@` are both that value. */
function parsePath(path: string): Select {
  const steps: Select[] = [];
  let rest = /^[.[$@]/.test(path) ? path : `.${path}`;
  while (rest !== "") {
    const [matched, deep, field, index, single, double, filter, self] = STEP.exec(rest) ?? [];
    if (!matched) {
      if (rest === ".") break;
      throw wrong(rest, "fields, indexes, slices, filters and range are allowed");
    }
    rest = rest.slice(matched.length);
    const name = single ?? double ?? field?.replaceAll(/\\(.)/g, "$1");
    if (self !== undefined) continue;
    if (deep !== undefined) steps.push((values) => values.flatMap((value) => descend(value, deep)));
    else if (index !== undefined) steps.push((values) => values.flatMap((value) => pick(value, index)));
    else if (filter !== undefined) steps.push(parseFilter(filter));
    else if (name === "*") steps.push((values) => values.flatMap(childrenOf));
    else steps.push((values) => values.flatMap((value) => fieldOf(value, name ?? "")));
  }
  return (values) => steps.reduce<unknown[]>((found, step) => step(found), [...values]);
}

const childrenOf = (value: unknown): unknown[] =>
  Array.isArray(value) ? value : isRecord(value) ? Object.values(value) : [];

function fieldOf(value: unknown, name: string): unknown[] {
  if (!isRecord(value) || !Object.hasOwn(value, name)) return [];
  return [value[name]];
}

function descend(value: unknown, name: string): unknown[] {
  const own = name === "*" ? childrenOf(value) : fieldOf(value, name);
  return [...own, ...childrenOf(value).flatMap((child) => descend(child, name))];
}

function pick(value: unknown, index: string): unknown[] {
  if (index === "*") return childrenOf(value);
  if (!Array.isArray(value)) return [];
  const [from, to] = index.split(":");
  if (to === undefined) return [value.at(Number(from))].filter((found) => found !== undefined);
  return value.slice(from ? Number(from) : 0, to ? Number(to) : undefined);
}

const COMPARISON = /^@?(.*?)\s*(==|!=|<=|>=|<|>)\s*(.*)$/s;

function parseFilter(filter: string): Select {
  const [, path = "", operator = "", literal = ""] = COMPARISON.exec(filter.trim()) ?? [];
  const select = parsePath(operator === "" ? filter.trim().replace(/^@/, "") : path);
  const wanted = /^["']/.test(literal) ? unquote(literal) : literal;
  const holds = (value: unknown): boolean => {
    const [found] = select([value]);
    if (operator === "") return found !== undefined;
    if (found === undefined) return false;
    const both =
      typeof found === "number" ? ([found, Number(wanted)] as const) : ([show(found), wanted] as const);
    return compare(both[0], both[1], operator);
  };
  return (values) => values.flatMap(childrenOf).filter(holds);
}

function compare(a: string | number, b: string | number, operator: string): boolean {
  if (operator === "==") return a === b;
  if (operator === "!=") return a !== b;
  if (operator === "<") return a < b;
  if (operator === ">") return a > b;
  return operator === "<=" ? a <= b : a >= b;
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };

function unquote(text: string): string {
  const quote = text[0] ?? "";
  if (text.length < 2 || !text.endsWith(quote)) throw wrong(text, "a quote is not closed");
  return text.slice(1, -1).replaceAll(/\\(.)/gs, (_, escaped: string) => ESCAPES[escaped] ?? escaped);
}

function wrong(what: string, rule: string): KonductorError {
  return new KonductorError("BadRequest", `-o jsonpath: ${JSON.stringify(what)} cannot be read: ${rule}`);
}

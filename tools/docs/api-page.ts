/** docs/api.md: every field of the custom resources, as their definitions describe it. */
import { list, record, text } from "../../src/shared/json.ts";
import { cell, FROM } from "./markdown.ts";

/** A JSON schema as far as the page shows it. */
interface Schema {
  readonly description: string;
  readonly type: string;
  readonly properties: ReadonlyMap<string, Schema>;
  readonly required: readonly string[];
  readonly items: Schema | undefined;
  /** Rules in words; a rule about a field below names its path. */
  readonly rules: readonly { readonly path: string; readonly message: string }[];
}

/** The page for these CustomResourceDefinitions, in this order. Throws for a field without a description. */
export function apiPage(definitions: readonly unknown[]): string {
  return [
    "# API",
    FROM("deploy/crds"),
    "Every field of konductor's two custom resources. `kubectl explain klease.spec` and `kubectl explain klr.spec` say the same.\n" +
      "[reference.md](reference.md) says how they work together, and lists conditions and reasons.",
    ...definitions.flatMap(kindSections),
    "",
  ].join("\n\n");
}

function kindSections(definition: unknown): string[] {
  const { names: all, group, versions } = record(record(definition)["spec"]);
  const names = record(all);
  const version = record(list(versions)[0]);
  const schema = readSchema(record(version["schema"])["openAPIV3Schema"]);
  const kind = text(names["kind"]) ?? "";
  const short = list(names["shortNames"]).map((name) => `\`${String(name)}\``);
  return [
    `## ${kind}`,
    schema.description,
    `\`apiVersion: ${text(group)}/${text(version["name"])}\`, \`kind: ${kind}\`; for kubectl ${short.join(", ")}.`,
    ...["spec", "status"].flatMap((name) => partSections(kind, name, schema)),
  ];
}

/** A heading, what the part is, and a table of all fields at and below it. */
function partSections(kind: string, name: string, root: Schema): string[] {
  const part = root.properties.get(name);
  if (!part) throw new Error(`${kind} has no ${name}`);
  const below = root.rules.filter(({ path }) => path.startsWith(`${name}.`));
  const rules = [
    ...part.rules,
    ...below.map(({ path, message }) => ({ path: path.slice(name.length + 1), message })),
  ];
  const rows = fieldRows({ ...part, rules }, "");
  const general = rules.filter(({ path }) => path === "").map(({ message }) => `- ${sentence(message)}`);
  return [
    `### ${kind} ${name}`,
    part.description,
    ["| field | type | |", "| --- | --- | --- |", ...rows].join("\n"),
    ...(general.length > 0 ? [`Rules of the whole ${name}:`, general.join("\n")] : []),
  ];
}

function fieldRows(schema: Schema, prefix: string): string[] {
  return [...schema.properties].flatMap(([name, field]) => {
    const path = `${prefix}${name}`;
    if (field.description === "") throw new Error(`field ${path} has no description`);
    const rules = [
      ...schema.rules.filter((rule) => rule.path === name),
      ...field.rules.filter((rule) => rule.path === ""),
    ];
    const isSaid = (message: string) => field.description.includes(message.replace(/^must be /, ""));
    const added = rules.map(({ message }) => message).filter((message) => !isSaid(message));
    const words = [field.description, ...added.map((message) => `It ${sentence(message)}`)].join(" ");
    const isRequired = schema.required.includes(name);
    const row = `| \`${path}\` | ${cell(isRequired ? `${field.type}; required` : field.type)} | ${cell(words)} |`;
    const nested = field.items ?? field;
    return [row, ...fieldRows(nested, field.items ? `${path}[].` : `${path}.`)];
  });
}

const sentence = (message: string) => (message.endsWith(".") ? message : `${message}.`);

function readSchema(value: unknown): Schema {
  const schema = record(value);
  const items = schema["items"] === undefined ? undefined : readSchema(schema["items"]);
  return {
    description: text(schema["description"]) ?? "",
    type: typeOf(schema, items),
    properties: new Map(
      Object.entries(record(schema["properties"])).map(([name, each]) => [name, readSchema(each)]),
    ),
    required: list(schema["required"]).map(String),
    items,
    rules: list(schema["x-kubernetes-validations"]).map((rule) => {
      const { fieldPath, message } = record(rule);
      return { path: (text(fieldPath) ?? "").replace(/^[.]/, ""), message: text(message) ?? "" };
    }),
  };
}

/** The type, with values and default. Bounds of lengths and numbers are left out: nobody reaches them but by a mistake, and is told then. */
function typeOf(schema: Record<string, unknown>, items: Schema | undefined): string {
  const own = text(schema["format"]) ?? text(schema["type"]) ?? "";
  const type = items ? `list of ${items.type === "object" ? "objects" : items.type}` : own;
  const values = list(schema["enum"]).map((value) => `\`${String(value)}\``);
  const facts = [
    values.length > 0 ? `one of ${values.join(", ")}` : type,
    schema["maxItems"] === undefined ? "" : `at most ${String(schema["maxItems"])}`,
    // The status's default is what a request begins with, and no value that somebody may leave out.
    schema["default"] === undefined || schema["type"] === "object"
      ? ""
      : `default \`${String(schema["default"])}\``,
  ];
  return facts.filter((fact) => fact !== "").join("; ");
}

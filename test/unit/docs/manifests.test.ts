/** Admission accepts, without a warning, every manifest that README.md and docs/ show. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { judgedKind, mutate } from "../../../src/server/admission/mutate.ts";
import { isRecord } from "../../../src/server/admission/objects.ts";
import { record, text } from "../../../src/shared/json.ts";
import { GROUP, LEASE_LABEL } from "../../../src/shared/names.ts";
import { contextWith, NAMESPACE, requestWith } from "../admission/fixtures.ts";

const ROOT = join(import.meta.dirname, "../../..");
/** A fenced block, at any indentation. */
const FENCED_YAML = /^( *)```yaml\n(.*?)^ *```$/gms;
/** A cluster in which every klease exists, so that none has to be announced. */
const CONTEXT = contextWith({ leases: { get: () => ({ ttlMs: 600_000 }) } });

/** The manifests that docs/use-cases.md points to. */
const EXAMPLES = readdirSync(join(ROOT, "examples/once")).map((name) => `examples/once/${name}`);

const PAGES = [
  "README.md",
  ...readdirSync(join(ROOT, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

/** Every document of the page's fenced YAML; throws for what is no YAML. */
function documentsIn(page: string): unknown[] {
  return [...page.matchAll(FENCED_YAML)].flatMap(([, indent = "", block = ""]) => {
    const lines = block.split("\n").map((line) => line.slice(indent.length));
    return parseAllDocuments(lines.join("\n")).map((document): unknown => {
      if (document.errors[0]) throw document.errors[0];
      return document.toJS();
    });
  });
}

/** Group and kind, as an admission request names them. */
function kindOf(manifest: unknown): string {
  const { apiVersion, kind } = record(manifest);
  const [version, group = ""] = (text(apiVersion) ?? "").split("/").reverse();
  return version ? `${group}/${text(kind) ?? ""}` : "";
}

/** What is wrong with a manifest that a reader may apply; empty: nothing. */
function problemsOf(manifest: unknown): string[] {
  const kind = kindOf(manifest);
  const marked = marksIn(manifest);
  if (judgedKind(kind) === undefined) {
    return marked.map(({ path }) => `${path}: konductor does not look into a ${kind}`);
  }
  const answer = mutate(requestWith({ kind, namespace: NAMESPACE, object: manifest }), CONTEXT);
  return [
    ...(answer.allowed ? [] : [answer.status?.message ?? "refused"]),
    ...(answer.warnings ?? []),
    // Admission does not read annotations that stand beside no label.
    ...marked
      .filter(({ labels }) => !Object.hasOwn(labels, LEASE_LABEL))
      .map(({ path }) => `${path}: the annotations stand beside no label`),
  ];
}

/** All metadata at and below `value` that has a label or an annotation of ours. */
function marksIn(value: unknown, path = ""): { path: string; labels: object }[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => marksIn(item, `${path}[${index}]`));
  if (!isRecord(value)) return [];
  const labels = record(value["labels"]);
  const names = [...Object.keys(labels), ...Object.keys(record(value["annotations"]))];
  return [
    ...(names.some((name) => name.startsWith(`${GROUP}/`)) ? [{ path, labels }] : []),
    ...Object.entries(value).flatMap(([name, item]) => marksIn(item, path === "" ? name : `${path}.${name}`)),
  ];
}

test.each(PAGES)("%s shows manifests that konductor accepts", (name) => {
  const manifests = documentsIn(readFileSync(join(ROOT, name), "utf8")).filter(
    (document) => record(document)["kind"] !== undefined,
  );
  expect(manifests.flatMap(problemsOf)).toEqual([]);
});

test.each(EXAMPLES)("%s is a manifest that konductor accepts", (name) => {
  const manifests = documentsIn(`\`\`\`yaml\n${readFileSync(join(ROOT, name), "utf8")}\`\`\`\n`);
  expect(manifests.length).toBeGreaterThan(0);
  expect(manifests.flatMap(problemsOf)).toEqual([]);
});

test("docs/use-cases.md has a manifest for each kind of workload", () => {
  const kinds = documentsIn(readFileSync(join(ROOT, "docs/use-cases.md"), "utf8")).map(kindOf);
  expect(kinds).toEqual(expect.arrayContaining(["batch/CronJob", "batch/Job", "apps/Deployment"]));
});

describe("problemsOf", () => {
  const job = (metadata: string) =>
    documentsIn(
      `\`\`\`yaml\napiVersion: batch/v1\nkind: Job\nmetadata: ${metadata}\nspec: {template: {spec: {containers: [{name: main}]}}}\n\`\`\`\n`,
    ).flatMap(problemsOf);
  const label = "labels: {konductor.io/lease: nightly}";

  test("finds nothing in a good manifest", () => {
    expect(job(`{${label}, annotations: {konductor.io/gate: job}}`)).toEqual([]);
  });

  test.each([
    ["a misspelt annotation", `{${label}, annotations: {konductor.io/gaet: job}}`, /did you mean/],
    ["a wrong value", `{${label}, annotations: {konductor.io/ttl: 5s}}`, /Invalid value: "5s"/],
    ["an annotation as a label", "{labels: {konductor.io/lease: a, konductor.io/ttl: 1m}}", /belongs in/],
    ["a label in a wrong place", "{annotations: {konductor.io/lease: nightly}}", /stand beside no label/],
    ["annotations alone", "{annotations: {konductor.io/ttl: 1m}}", /stand beside no label/],
  ])("finds %s", (_name, metadata, problem) => {
    expect(job(metadata)).toEqual([expect.stringMatching(problem)]);
  });

  test("finds a label where it has no effect", () => {
    const deployment = (template: object) => ({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { labels: { [LEASE_LABEL]: "nightly" } },
      spec: { template: { spec: { containers: [{ name: "main" }] }, ...template } },
    });
    expect(problemsOf(deployment({}))).toEqual([expect.stringContaining("has no effect on a Deployment")]);
    const rollout = {
      apiVersion: "argoproj.io/v1alpha1",
      kind: "Rollout",
      metadata: deployment({}).metadata,
    };
    expect(problemsOf(rollout)).toEqual([expect.stringContaining("does not look into")]);
  });
});

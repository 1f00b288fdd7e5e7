/** One step of a page. */
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseAllDocuments } from "yaml";
import { record, text } from "../../src/shared/json.ts";
import { matches } from "./compare.ts";
import type { Reader } from "./place.ts";
import type { Written } from "./shell.ts";
import type { Step } from "./steps.ts";

/** Commands that change nothing: what they show comes a moment later, so they are repeated until it does. */
const LOOKS =
  /^(kubectl( -n \S+)? (get|describe|logs|wait)|koncli (lease (why|top|queue|status|list|history)|doctor))\b/;
/** konductor is Ready some seconds before the API server reaches it. A reader tries again, as the pages say. */
const NOT_REACHED = /failed calling webhook/;
const WITHIN_MS = 60_000;
const PAUSE_MS = 500;

/** Runs the step, and resolves with what is wrong; undefined if it is as the page says. */
export async function runStep(step: Step, reader: Reader): Promise<string | undefined> {
  if (step.kind === "not run") return undefined;
  if (step.kind === "file") {
    const path = join(reader.cwd, step.path);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, step.content);
    return undefined;
  }
  if (step.kind === "command" && step.withoutKonductor) await reader.needNoKonductor();
  else await reader.needKonductor();
  return step.kind === "manifest" ? applied(step.yaml, reader) : commanded(step, reader);
}

async function commanded(
  { script, expected }: { readonly script: string; readonly expected: string | undefined },
  reader: Reader,
): Promise<string | undefined> {
  const isLook = script.split("\n").every((line) => LOOKS.test(line) || line.startsWith("  "));
  const deadlineMs = performance.now() + WITHIN_MS;
  for (;;) {
    const written = await reader.run(script);
    const problem = problemOf(written, expected);
    const mayRepeat = isLook || NOT_REACHED.test(written.stderr);
    if (problem === undefined || !mayRepeat || performance.now() > deadlineMs)
      return problem && `${script}\n${problem}`;
    await sleep(PAUSE_MS);
  }
}

function problemOf({ code, stdout, stderr }: Written, expected: string | undefined): string | undefined {
  const wrote = `stdout:\n${stdout}\nstderr:\n${stderr}`;
  if (code !== 0) return `it ended with ${code ?? "a signal"}\n${wrote}`;
  if (expected === undefined || matches(stdout, expected)) return undefined;
  return `the page shows\n${expected}\nbut it wrote\n${wrote}`;
}

/** Applies the manifest, and waits until what it makes works: a Job completes, a Deployment has a pod. */
async function applied(yaml: string, reader: Reader): Promise<string | undefined> {
  await writeFile(join(reader.cwd, "manifest.yaml"), yaml);
  const waits = parseAllDocuments(yaml).flatMap((document) => {
    const { kind, metadata } = record(document.toJS());
    const name = text(record(metadata)["name"]) ?? "";
    if (kind === "Job") return [`kubectl wait --for=condition=Complete job/${name} --timeout=120s`];
    if (kind === "Deployment")
      return [`kubectl wait --for=jsonpath={.status.availableReplicas}=1 deployment/${name} --timeout=120s`];
    return [];
  });
  const script = ["kubectl apply --filename=manifest.yaml", ...waits].join("\n");
  const problem = problemOf(await reader.run(script), undefined);
  return problem && `${script}\n${problem}`;
}

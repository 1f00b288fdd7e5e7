import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseDocument } from "yaml";
import { record } from "../../src/shared/json.ts";
import { LEASE_LABEL } from "../../src/shared/names.ts";

/** One of the examples, as the demo applies it. */
export interface Exercise {
  /** The CronJob's or Job's name. */
  name: string;
  kind: "CronJob" | "Job";
  /** The value of the label, also if the label was taken off. */
  lease: string;
  file: string;
  object: Record<string, unknown>;
}

export interface ExerciseOptions {
  namespace: string;
  /** false: the label is taken off. */
  guard: boolean;
  /** Replaces the examples' image if no registry can be reached. */
  image?: string | undefined;
}

/** Reads every example directly in `dir`; examples that need more than a cluster are in folders. Throws on a file that the demo cannot run. */
export async function readExercises(dir: string, options: ExerciseOptions): Promise<Exercise[]> {
  const files = (await readdir(dir)).filter((file) => file.endsWith(".yaml")).sort();
  return Promise.all(
    files.map(async (file) => parseExercise(file, await readFile(join(dir, file), "utf8"), options)),
  );
}

export function parseExercise(
  file: string,
  source: string,
  { namespace, guard, image }: ExerciseOptions,
): Exercise {
  const document = parseDocument(source);
  const kind = document.get("kind");
  const name = document.getIn(["metadata", "name"]);
  const label = ["metadata", "labels", LEASE_LABEL];
  const lease = document.getIn(label);
  if ((kind !== "CronJob" && kind !== "Job") || typeof name !== "string" || typeof lease !== "string") {
    throw new Error(`${file}: the demo runs one CronJob or Job a file, with the label ${LEASE_LABEL}`);
  }
  const template = kind === "Job" ? ["spec", "template"] : ["spec", "jobTemplate", "spec", "template"];
  document.setIn(["metadata", "namespace"], namespace);
  if (!guard) document.deleteIn(label);
  if (image) document.setIn([...template, "spec", "containers", 0, "image"], image);
  return { name, kind, lease, file, object: record(document.toJS()) };
}

/** The exercise that a Job belongs to. */
export function exerciseOf(exercises: readonly Exercise[], job: string): Exercise | undefined {
  return exercises.find(({ name }) => job === name || job.startsWith(`${name}-`));
}

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { GROUP, LEASE_LABEL } from "../../../src/shared/names.ts";
import { exerciseOf, parseExercise, readExercises } from "../../../tools/demo/exercise.ts";

const dir = join(import.meta.dirname, "../../../examples");
const namespace = "konductor-demo";

async function sources() {
  const files = (await readdir(dir)).filter((file) => file.endsWith(".yaml"));
  return Promise.all(files.map(async (file) => ({ file, source: await readFile(join(dir, file), "utf8") })));
}

describe("the examples", () => {
  test("name konductor only in one label", async () => {
    for (const { source } of await sources()) {
      const marks = JSON.stringify(parse(source)).match(new RegExp(`"${GROUP}/[^"]*"`, "g"));
      expect(marks).toEqual([JSON.stringify(LEASE_LABEL)]);
    }
  });

  test("differ without the guard only by that label", async () => {
    const on = await readExercises(dir, { namespace, guard: true });
    const off = await readExercises(dir, { namespace, guard: false });
    expect(on.map(({ name }) => name)).toEqual(["migrate", "report"]);
    for (const [index, { object, lease }] of on.entries()) {
      expect(object["metadata"]).toHaveProperty(["labels", LEASE_LABEL], lease);
      const unguarded = off[index]?.object;
      expect(JSON.stringify(unguarded)).not.toContain(GROUP);
      expect({ ...unguarded, metadata: object["metadata"] }).toEqual(object);
    }
  });

  test("run the image that the cluster has", async () => {
    const exercises = await readExercises(dir, { namespace, guard: true, image: "other:1" });
    for (const { object } of exercises) {
      const images = JSON.stringify(object).match(/"image":"[^"]*"/g);
      expect(images).toEqual(['"image":"other:1"']);
    }
  });
});

test.for([
  "kind: Deployment\nmetadata: {name: a, labels: {konductor.io/lease: a}}",
  "kind: Job\nmetadata: {name: a}",
])("refuses %j and names the file", (source) => {
  expect(() => parseExercise("a.yaml", source, { namespace, guard: true })).toThrow(/a\.yaml/);
});

test("finds a Job's exercise by the Job's name", async () => {
  const exercises = await readExercises(dir, { namespace, guard: true });
  expect(exerciseOf(exercises, "migrate")?.kind).toBe("Job");
  expect(exerciseOf(exercises, "report-29923129")?.kind).toBe("CronJob");
  expect(exerciseOf(exercises, "reporter")).toBeUndefined();
});

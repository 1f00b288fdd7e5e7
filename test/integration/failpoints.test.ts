/**
 * konductor dies between two writes, at each place there is. A pod, a whole Job and another pod take turns, and the replica that makes a write is
 * killed before it learns of the answer. No two mains run at once, no claimant is forgotten, no token is used twice.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { ANNOTATION } from "../../src/shared/names.ts";
import { waitFor } from "../cluster/wait.ts";
import type { Environment } from "../e2e/environment.ts";
import { overlaps } from "../e2e/journal.ts";
import { startProcessEnvironment } from "../e2e/process-environment.ts";
import { setStage } from "../e2e/stage.ts";
import { job } from "../e2e/workload.ts";
import { isBrief } from "../extent.ts";

const NEVER = 0;
const TURNS = ["old", "whole", "next"];
/** Some writes are not always there: an update of the number of waiters, a late answer. */
const SPARE_STEPS = 2;
/** Spread over all writes; `make test-all` plays every write. */
const FEW = 4;

let environment: Environment;
let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "konductor-failpoints-"));
  await setFailpoint(NEVER);
  environment = await startProcessEnvironment({
    env: inject("cluster").env,
    programsDir: inject("cluster").programsDir,
    stream: process.stderr,
    failpointDir: dir,
  });
});
afterAll(async () => {
  await environment?.stop();
  await rm(dir, { recursive: true, force: true });
});

async function setFailpoint(number: number): Promise<void> {
  await writeFile(join(dir, "writes"), "");
  await writeFile(join(dir, "end-at"), String(number));
}

async function countWrites(): Promise<number> {
  return (await readFile(join(dir, "writes"), "utf8")).split("\n").length - 1;
}

/** Plays the turns with the death of a replica at write `number`; resolves with the number of writes. */
async function play(number: number): Promise<number> {
  const stage = await setStage(environment, "steps", { ttl: "1m" });
  const { namespace, journal } = stage;
  await setFailpoint(number);
  const brief = { namespace, lease: "steps", journal, runsForSeconds: 0.5 };
  // An object that is refused at this moment is applied again, as people do.
  const apply = (object: object) =>
    waitFor({
      what: "what was applied to be admitted",
      withinMs: 30_000,
      async holds() {
        await environment.konductor.start();
        await environment.kubectl.withObject(object, "apply");
        return true;
      },
    });
  await stage.apply("old", { runsForSeconds: 0.5 });
  await apply(job({ ...brief, name: "whole", annotations: { [ANNOTATION.gate]: "job" } }));
  const finished = async () => (await journal.runs()).filter(({ ended }) => ended).length === TURNS.length;
  await stage.apply("next", { runsForSeconds: 0.5 }).catch(() => undefined);
  await waitFor({
    what: `all to have run, with konductor's death at write ${number}`,
    withinMs: 90_000,
    async holds() {
      // Restarted, as a kubelet would do.
      await environment.konductor.start();
      const runs = await journal.runs();
      if (!runs.some(({ by }) => by === "next")) await stage.apply("next", { runsForSeconds: 0.5 });
      return finished();
    },
  });
  const { status } = await stage.atRest();
  const runs = (await journal.runs()).toSorted((a, b) => a.fromMs - b.fromMs);
  expect(overlaps(runs)).toEqual([]);
  expect(runs.map(({ by }) => by.replace(/-.*/, "")).toSorted()).toEqual(TURNS.toSorted());
  const tokens = status.history.map(({ token }) => token);
  expect(tokens).toEqual([...new Set(tokens)].toSorted((a, b) => b - a));
  return countWrites();
}

const isFew = isBrief(inject("cluster").env);

test(`at ${isFew ? FEW : "every one"} of the writes there are`, { timeout: 900_000 }, async () => {
  const count = await play(NEVER);
  expect(count).toBeGreaterThan(10);
  const every = Array.from({ length: count + SPARE_STEPS }, (_, index) => index + 1);
  const few = Array.from({ length: FEW }, (_, index) => Math.ceil(((index + 1) * count) / FEW));
  for (const number of isFew ? few : every) {
    const before = performance.now();
    await play(number);
    process.stderr.write(`failpoint ${number} of ${count}: ${Math.round(performance.now() - before)} ms\n`);
  }
});

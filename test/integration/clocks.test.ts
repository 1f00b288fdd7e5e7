/** Replicas whose clocks disagree by two hours. */
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { overtakeArbiter } from "../e2e/election.ts";
import type { Environment } from "../e2e/environment.ts";
import { holdBefore } from "../e2e/handover.ts";
import { overlaps } from "../e2e/journal.ts";
import { startProcessEnvironment } from "../e2e/process-environment.ts";
import { type Stage, setStage } from "../e2e/stage.ts";

const HOUR_MS = 3_600_000;
const TTL_MS = 15_000;
/** Beyond ttl and allowance: a hold that is counted by anybody's time of day has ended by then. */
const RENEWALS = 5;

let environment: Environment;
beforeAll(async () => {
  // The first makes the certificates, most often.
  const clockOffsetsMs = [HOUR_MS, -HOUR_MS] as const;
  environment = await startProcessEnvironment({
    env: inject("cluster").env,
    stream: process.stderr,
    clockOffsetsMs,
  });
});
afterAll(() => environment?.stop());

/** By the journal, whose clock is right. */
async function takesTurns(stage: Stage): Promise<void> {
  await stage.runs("next", 1);
  await stage.atRest();
  const runs = (await stage.journal.runs()).toSorted((a, b) => a.fromMs - b.fromMs);
  expect(runs.map(({ by }) => by)).toEqual(["old", "next"]);
  expect(overlaps(runs)).toEqual([]);
}

test("a hold is renewed by whichever of them, outlives a change of the arbiter, and the next main starts when its own has ended", async () => {
  const stage = await setStage(environment, "clocks", { ttl: `${TTL_MS / 1_000}s` });
  const { token } = await holdBefore(stage);
  const renewedBy = (count: number) =>
    stage.lease(
      `renewal ${count}`,
      ({ status: { hold } }) => hold?.token === token && hold.renewals >= count,
    );
  for (const after of [RENEWALS, 2 * RENEWALS]) {
    await overtakeArbiter(environment);
    await renewedBy(after);
  }
  expect(await stage.journal.runs()).toMatchObject([{ by: "old" }]);
  await environment.kubectl("-n", stage.namespace, "delete", "pod", "old", "--wait=false");
  await takesTurns(stage);
});

test("a silent holder keeps its klease for its ttl, by nobody's time of day", async () => {
  const stage = await setStage(environment, "silent", { ttl: `${TTL_MS / 1_000}s` });
  await holdBefore(stage);
  const { status } = await stage.lease("a renewal", ({ status: { hold } }) => (hold?.renewals ?? 0) > 0);
  const old = { namespace: stage.namespace, name: "old" };
  await environment.killContainer(old, "konductor-keeper", "SIGSTOP");
  const silentSinceMs = performance.now();
  await stage.lease(
    "the hold to have expired",
    ({ status: { hold } }) => hold?.expired === true || hold?.token !== status.hold?.token,
  );
  const silentMs = performance.now() - silentSinceMs;
  // The last renewal was answered before, at most a third of the ttl.
  expect(silentMs).toBeGreaterThan((TTL_MS * 2) / 3 - 1_000);
  expect(silentMs).toBeLessThan(TTL_MS + 10_000);
  await environment.killContainer(old, "konductor-keeper", "SIGCONT");
  await environment.kubectl(
    "-n",
    stage.namespace,
    "delete",
    "pod",
    "old",
    "--wait=false",
    "--ignore-not-found",
  );
  await takesTurns(stage);
});

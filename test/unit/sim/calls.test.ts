/** The number of API calls per event does not grow with the number of waiters. */
import { resolve } from "node:path";
import { expect, test, vi } from "vitest";
import { CALLS } from "../../sim/guards/requests.ts";
import { createRandom } from "../../sim/random.ts";
import * as real from "../../sim/world.ts";

const SETTLED_MS = 20_000;

/** The calls of all replicas, without election and watches, from the end of a holder's work until the next holder works. */
async function callsOfHandover(
  waiters: number,
  { createWorld }: Pick<typeof real, "createWorld"> = real,
): Promise<Record<string, number>> {
  const before = Math.random;
  Math.random = createRandom(waiters).next;
  try {
    const world = createWorld({ seed: 1, replicas: 2, apiServers: 1 });
    const { scheduler, history } = world;
    const beganMs = scheduler.nowMs();
    const calls: Record<string, number> = {};
    let isCounted = false;
    for (const { line } of world.slots)
      line.onCall = ({ verb, resource: { group, plural } }) => {
        const isOurs = group !== "coordination.k8s.io" && verb !== "watch";
        if (isCounted && isOurs) calls[`${verb} ${plural}`] = (calls[`${verb} ${plural}`] ?? 0) + 1;
      };
    const pod = {
      restartPolicy: "Never" as const,
      ...{ selfFencing: true, graceSeconds: 3, stopsWithinMs: 500, isRefused: false, annotations: {} },
      ...{ worksForMs: 2 * SETTLED_MS, exitCodes: [], exitCodeAtTerm: 143, node: 0 },
    };
    world.scheduler.after(1_000, () => world.createPod({ ...pod, name: "pod-0" }));
    for (let index = 1; index <= waiters; index++)
      scheduler.after(2_000 + 10 * index, () => world.createPod({ ...pod, name: `pod-${index}` }));
    const firstEnds = () => history.some(({ what }) => what === "stops");
    const secondRuns = () => history.filter(({ what }) => what === "runs").length > 1;
    await scheduler.passUntil(beganMs + 2 * SETTLED_MS);
    isCounted = true;
    await scheduler.passUntil(beganMs + 4 * SETTLED_MS, () => firstEnds() && secondRuns());
    expect(secondRuns()).toBe(true);
    return calls;
  } finally {
    Math.random = before;
  }
}

const total = (calls: Record<string, number>) => Object.values(calls).reduce((sum, count) => sum + count, 0);
/** The difference that two handovers may have anyway. */
const SOME = 2;

test("a handover needs as many calls with 30 waiters as with 3", async () => {
  const [few, many] = [await callsOfHandover(3), await callsOfHandover(30)];
  expect(few).toHaveProperty("replaceStatus leases");
  expect(total(many), JSON.stringify({ few, many })).toBeLessThanOrEqual(total(few) + SOME);
});

test("the count shows a fault that writes to each waiter", async () => {
  for (const { path, replace } of CALLS) vi.doMock(resolve(path), replace);
  vi.resetModules();
  const world = await import("../../sim/world.ts");
  for (const { path } of CALLS) vi.doUnmock(resolve(path));
  const [few, many] = [await callsOfHandover(3, world), await callsOfHandover(30, world)];
  expect(total(many)).toBeGreaterThan(total(few) + SOME);
});

/** Many who want one klease at once, each a process of its own. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { waitFor } from "../cluster/wait.ts";
import { koncli } from "./koncli.ts";
import { callsByUser } from "./lease-client/audit.ts";
import { type Fixture, startFixture } from "./lease-client/fixture.ts";

const CROWD = 100;
/** So many start at a time: a machine with few cores is busy with that alone. */
const STARTING = 5;
const TIMEOUT_MS = 900_000;
/**
 * GET, create, list and watch of the klease, watch of the request, confirmation; then GET, delete and watch of the release. The rest is
 * for what a busy server refuses or breaks.
 */
const CALLS_PER_WAITER = 15;
const USER = "waiter-";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await startFixture("crowd");
});
afterAll(() => fixture?.stop());

interface Turn {
  token: number;
  beganMs: number;
  endedMs: number;
}

test(
  `${CROWD} processes that wait for one klease each have it once, never two at a time, and poll nothing`,
  async () => {
    const { environment, kubeconfigOf, namespace, newLease, startAs, lease, requests } = fixture;
    const name = await newLease({ ttl: "1h" });
    const binding = ["create", "rolebinding", "crowd", "--clusterrole=konductor-user"];
    await environment.kubectl(...binding, "--group=system:authenticated", `--namespace=${namespace}`);
    expect(await fixture.koncli("lease", "acquire", name, "--holder", "first")).toMatchObject({ code: 0 });

    async function startWaiter(index: number) {
      const user = `${USER}${index}`;
      const kubeconfig = await kubeconfigOf(user);
      const flags = ["--holder", user, "-o", "json", "--wait", `--timeout=${TIMEOUT_MS / 1_000}s`];
      const waiter = startAs(kubeconfig, "lease", "acquire", name, ...flags);
      await waitFor({
        what: `${user} to wait`,
        withinMs: 120_000,
        holds: async () => waiter.err.includes("waiting for klease"),
      });
      return { user, kubeconfig, waiter };
    }

    async function takeTurn({
      user,
      kubeconfig,
      waiter,
    }: Awaited<ReturnType<typeof startWaiter>>): Promise<Turn> {
      if ((await waiter.ended) !== 0) throw new Error(`${user}: ${waiter.err}`);
      const beganMs = performance.now();
      const { holder, fencingToken } = JSON.parse(waiter.out).status;
      expect(holder).toBe(user);
      await sleep(20);
      const endedMs = performance.now();
      const target = ["--kubeconfig", kubeconfig, "-n", namespace];
      expect(await koncli([...target, "lease", "release", name, "--holder", user])).toMatchObject({
        code: 0,
      });
      return { token: fencingToken, beganMs, endedMs };
    }

    const waiters = [];
    for (let begin = 0; begin < CROWD; begin += STARTING) {
      const indexes = Array.from({ length: STARTING }, (_, offset) => begin + offset);
      waiters.push(...(await Promise.all(indexes.map(startWaiter))));
    }
    expect(await requests(name)).toHaveLength(CROWD + 1);
    expect((await lease(name)).status.hold?.holder).toBe("first");
    const ended = Promise.all(waiters.map(takeTurn));
    expect(await fixture.koncli("lease", "release", name, "--holder", "first")).toMatchObject({ code: 0 });
    const turns = await ended;

    expect(new Set(turns.map(({ token }) => token)).size).toBe(CROWD);
    const inOrder = turns.toSorted((a, b) => a.token - b.token);
    for (const [index, turn] of inOrder.entries())
      expect(turn.beganMs).toBeGreaterThan(inOrder[index - 1]?.endedMs ?? 0);
    expect((await lease(name)).status.hold).toBeUndefined();

    const calls = await callsByUser(environment.cluster.auditLogPath, USER);
    expect(calls.size).toBe(CROWD);
    const worst = [...calls.values()].toSorted((a, b) => b.length - a.length)[0] ?? [];
    process.stderr.write(`worst waiter: ${worst.join(", ")}\n`);
    expect(worst.length, worst.join(", ")).toBeLessThanOrEqual(CALLS_PER_WAITER);
  },
  TIMEOUT_MS,
);

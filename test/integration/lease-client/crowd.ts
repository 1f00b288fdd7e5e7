/** Many processes that want one klease at once. */
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, inject, test } from "vitest";
import { follow } from "../../../src/client/follow.ts";
import { LEASE_REQUESTS, LEASES } from "../../../src/kube/resources.ts";
import { parseLease } from "../../../src/lease/codec.ts";
import { systemClock } from "../../../src/shared/clock.ts";
import { record } from "../../../src/shared/json.ts";
import { waitFor } from "../../cluster/wait.ts";
import { isBrief } from "../../extent.ts";
import { koncli } from "../koncli.ts";
import { callsByUser } from "./audit.ts";
import type { Fixture } from "./fixture.ts";

const isFew = isBrief(inject("cluster").env);
const CROWD = isFew ? 4 : 100;
/** How many start at a time: a machine with few cores is busy with that alone. */
const STARTING = 4;
const TIMEOUT_MS = 900_000;
/**
 * GET, create, list and watch of the klease, watch of the request, confirmation; then GET, delete and watch of the release. The rest is for calls
 * that a busy server refuses or breaks off.
 */
const CALLS_PER_WAITER = 15;
const USER = "waiter-";

const WAITERS = isFew ? 100 : 1_000;
const PRIORITIES = 5;
const LATE = 20;
const CREATED_AT_ONCE = 20;

interface Turn {
  token: number;
  beganMs: number;
  endedMs: number;
}

export function crowdTests(fixture: () => Fixture): void {
  describe("a crowd", () => {
    test(
      `${CROWD} processes that wait for one klease each have it once, never two at a time, and poll nothing`,
      async () => {
        const { environment, kubeconfigOf, namespace, newLease, startAs, lease, requests } = fixture();
        const name = await newLease({ ttl: "1h" });
        const binding = ["create", "rolebinding", "crowd", "--clusterrole=konductor-user"];
        await environment.kubectl(...binding, "--group=system:authenticated", `--namespace=${namespace}`);
        expect(await fixture().koncli("lease", "acquire", name, "--holder", "first")).toMatchObject({
          code: 0,
        });

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
        expect(await fixture().koncli("lease", "release", name, "--holder", "first")).toMatchObject({
          code: 0,
        });
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

    test(
      `${WAITERS} requests are served by priority, then by age; a later request overtakes only by a higher priority`,
      async () => {
        const { environment, namespace, newLease, lease } = fixture();
        const { client } = environment;
        const name = await newLease({ ttl: "1h" });
        const create = (holder: string, priority: number) =>
          client.create(LEASE_REQUESTS, {
            metadata: { namespace, name: holder },
            spec: { lease: name, holder, priority },
          });
        const createAll = async (count: number, prefix: string, priorityOf: (index: number) => number) => {
          for (let begin = 0; begin < count; begin += CREATED_AT_ONCE) {
            const some = Array.from(
              { length: Math.min(CREATED_AT_ONCE, count - begin) },
              (_, offset) => begin + offset,
            );
            await Promise.all(some.map((index) => create(`${prefix}-${index}`, priorityOf(index))));
          }
        };
        const queue = async () => {
          const { items } = await client.list(LEASE_REQUESTS, { namespace });
          return items
            .map(record)
            .map(({ spec }) => record(spec))
            .filter((spec) => spec["lease"] === name);
        };

        await create("holder", 0);
        await fixture().until(name, "to be held", ({ status }) => status.hold !== undefined);
        await createAll(WAITERS, "waiter", (index) => (index * 7) % PRIORITIES);
        const early = await queue();

        const scope = new AbortController();
        const { signal } = scope;
        const klease = follow({
          ...{ client, namespace, signal, clock: systemClock(), random: Math.random },
          ...{ resource: LEASES, selector: { name }, parse: parseLease },
        });
        const served: string[] = [];
        let token = 0;
        let late: Record<string, unknown>[] = [];
        const beganMs = performance.now();
        while (served.length <= WAITERS + 2 * LATE) {
          const hold = await klease.until((objects) => {
            const found = objects.get(name)?.status.hold;
            return found && found.token > token ? found : undefined;
          }, signal);
          served.push(hold.holder);
          token = hold.token;
          if (served.length === WAITERS / 2) {
            await createAll(LATE, "urgent", () => PRIORITIES);
            await createAll(LATE, "patient", () => 0);
            late = (await queue()).filter(({ holder }) => /^(urgent|patient)/.test(String(holder)));
          }
          await client.delete(LEASE_REQUESTS, { namespace, name: hold.ref.name });
        }
        const tookMs = performance.now() - beganMs;
        scope.abort();
        process.stderr.write(
          `${served.length} requests served one after the other: ${(tookMs / served.length).toFixed(1)} ms each\n`,
        );

        const inOrder = (specs: Record<string, unknown>[]) =>
          specs.toSorted((a, b) => (rank(a) < rank(b) ? -1 : 1)).map(({ holder }) => holder);
        const isUrgent = (holder: unknown) => String(holder).startsWith("urgent");
        expect(served.filter((holder) => !isUrgent(holder))).toEqual([
          "holder",
          ...inOrder([...early, ...late].filter(({ holder }) => holder !== "holder" && !isUrgent(holder))),
        ]);
        expect(served.slice(WAITERS / 2, WAITERS / 2 + LATE)).toEqual(
          inOrder(late.filter(({ holder }) => isUrgent(holder))),
        );
        expect(await queue()).toEqual([]);
        expect(
          (await fixture().until(name, "to be free", ({ status }) => !status.hold)).status.waiters ?? 0,
        ).toBe(0);
        expect((await lease(name)).status.hold).toBeUndefined();
      },
      TIMEOUT_MS,
    );
  });
}

/** Sorts in the order in which requests must be served. */
function rank({ priority, requestedAt, holder }: Record<string, unknown>): string {
  return `${PRIORITIES - Number(priority)} ${requestedAt} ${holder}`;
}

import { expect, inject, test } from "vitest";
import type { KubeClient } from "../../../src/kube/api.ts";
import { createLeaderElector } from "../../../src/kube/leader-election.ts";
import { ELECTION_LEASES } from "../../../src/kube/resources.ts";
import { systemClock } from "../../../src/shared/clock.ts";
import { record } from "../../../src/shared/json.ts";
import { connect, createNamespace, silent, until } from "./fixture.ts";
import { startTcpProxy } from "./tcp-proxy.ts";

const client = connect();
const clock = systemClock();
const LEASE_MS = 3_000;
const DEADLINE_MS = 2_000;
const RETRY_MS = 300;

interface Term {
  identity: string;
  fromMs: number;
  toMs: number;
}

/** Candidates for one Lease, and their terms. */
async function startElection() {
  const namespace = await createNamespace(client);
  const terms: Term[] = [];
  const stand = (identity: string, through: KubeClient) => {
    const stop = new AbortController();
    const elector = createLeaderElector({
      client: through,
      namespace,
      name: "election",
      identity,
      clock,
      logger: silent,
      leaseDurationMs: LEASE_MS,
      renewDeadlineMs: DEADLINE_MS,
      retryPeriodMs: RETRY_MS,
      async onStartedLeading(signal) {
        const term = { identity, fromMs: clock.monotonicMs(), toMs: Number.POSITIVE_INFINITY };
        terms.push(term);
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        term.toMs = clock.monotonicMs();
      },
    });
    const ended = elector.run(stop.signal);
    const end = async () => {
      stop.abort();
      await ended;
    };
    return { elector, end };
  };
  const lease = async () =>
    record(record(await client.get(ELECTION_LEASES, { namespace, name: "election" }))["spec"]);
  return { namespace, terms, stand, lease };
}

function expectNoOverlap(terms: readonly Term[]): void {
  for (const [index, { fromMs }] of terms.entries()) {
    const before = terms[index - 1];
    if (before) expect(fromMs).toBeGreaterThanOrEqual(before.toMs);
  }
}

test("of several candidates one leads; its release hands over the lead well before the Lease would expire", async () => {
  const { terms, stand, lease } = await startElection();
  const candidates = ["a", "b", "c"].map((identity) => ({ identity, ...stand(identity, client) }));
  await until("a leader", () => terms.length === 1);
  const first = terms[0];
  const leader = candidates.find(({ identity }) => identity === first?.identity);
  const others = candidates.filter((candidate) => candidate !== leader);
  expect(leader?.elector.isLeader()).toBe(true);
  expect(others.some(({ elector }) => elector.isLeader())).toBe(false);

  await leader?.end();
  const releasedAtMs = clock.monotonicMs();
  await until("the next leader", () => terms.length === 2);
  expect(clock.monotonicMs() - releasedAtMs).toBeLessThan(LEASE_MS / 2);
  expect(await lease()).toMatchObject({ holderIdentity: terms[1]?.identity });
  expectNoOverlap(terms);

  for (const { end } of others) await end();
  expect(await lease()).toMatchObject({ holderIdentity: "" });
});

test("a leader that is cut off stops within its deadline, before another takes the lead", async () => {
  const proxy = await startTcpProxy(inject("cluster").apiServerUrl);
  const { terms, stand } = await startElection();
  const lonely = stand("lonely", connect(proxy.url));
  await until("the first leader", () => terms.length === 1);
  const other = stand("other", client);
  proxy.cut();
  const cutAtMs = clock.monotonicMs();
  await until("the next leader", () => terms.length === 2);
  expect(terms.map(({ identity }) => identity)).toEqual(["lonely", "other"]);
  expectNoOverlap(terms);
  expect((terms[0]?.toMs ?? Number.NaN) - cutAtMs).toBeLessThan(DEADLINE_MS + 200);
  expect(clock.monotonicMs() - cutAtMs).toBeLessThan(LEASE_MS + 2 * RETRY_MS + 500);
  expect(lonely.elector.isLeader()).toBe(false);

  proxy.mend();
  await lonely.end();
  expect(other.elector.isLeader()).toBe(true);
  await other.end();
  await proxy.close();
});

test("a leader whose Lease somebody else takes stops at its next renewal", async () => {
  const { namespace, terms, stand } = await startElection();
  const candidate = stand("deposed", client);
  await until("a leader", () => terms.length === 1);
  const usurped = { spec: { holderIdentity: "usurper", leaseDurationSeconds: 2 } };
  await client.patch(ELECTION_LEASES, { namespace, name: "election" }, usurped, { type: "merge" });
  await until("the term to end", () => terms[0]?.toMs !== Number.POSITIVE_INFINITY);
  const takenBackFromMs = clock.monotonicMs();
  await until("the usurper's time to pass", () => terms.length === 2);
  expect(clock.monotonicMs() - takenBackFromMs).toBeGreaterThan(1_500);
  await candidate.end();
});

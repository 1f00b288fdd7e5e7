/** Replicas whose wall clocks differ by two hours, each wrong by one. */
import { X509Certificate } from "node:crypto";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { ELECTION_TIMES } from "../../src/kube/leader-election.ts";
import { ELECTION_LEASES, EVENTS, LEASE_REQUESTS, LEASES, SECRETS } from "../../src/kube/resources.ts";
import { waitingInOrder } from "../../src/lease/order.ts";
import type { Lease } from "../../src/lease/types.ts";
import { systemClock } from "../../src/shared/clock.ts";
import { record, text } from "../../src/shared/json.ts";
import { ANNOTATION, ELECTION_LEASE, SYSTEM_NAMESPACE, TLS_SECRET } from "../../src/shared/names.ts";
import { countTerms, overtakeArbiter } from "../e2e/election.ts";
import type { Environment } from "../e2e/environment.ts";
import { holdBefore } from "../e2e/handover.ts";
import { overlaps } from "../e2e/journal.ts";
import { readLease, readRequests } from "../e2e/observe.ts";
import { startProcessEnvironment } from "../e2e/process-environment.ts";
import { createSchedule } from "../e2e/schedule.ts";
import { type Stage, setStage } from "../e2e/stage.ts";
import { koncli } from "./koncli.ts";

const HOUR_MS = 3_600_000;
const TTL_MS = 15_000;
/** Beyond ttl and allowance: by then a hold that is judged by any replica's wall clock has ended. */
const RENEWALS = 5;

/** The precision of what is known of the API server's time, and the delays of a busy machine. */
const SLACK_MS = 1_000;
const MAX_HOLD_MS = 25_000;
const DAY_MS = 24 * HOUR_MS;
/** A new arbiter gives a silent holder the ttl once more. A replica that gets too little CPU may lose its term at any time. */
const PER_TERM_MS = TTL_MS + ELECTION_TIMES.leaseDurationMs;

const startedMs = Date.now();
let environment: Environment;
beforeAll(async () => {
  // The first replica makes the certificates, most often.
  const clockOffsetsMs = [HOUR_MS, -HOUR_MS] as const;
  environment = await startProcessEnvironment({
    env: inject("cluster").env,
    programsDir: inject("cluster").programsDir,
    stream: process.stderr,
    clockOffsetsMs,
  });
});
afterAll(() => environment?.stop());

/** Checks the turns by the journal, whose clock is right. */
async function takesTurns(stage: Stage): Promise<void> {
  await stage.runs("next", 1);
  await stage.atRest();
  const runs = (await stage.journal.runs()).toSorted((a, b) => a.fromMs - b.fromMs);
  expect(runs.map(({ by }) => by)).toEqual(["old", "next"]);
  expect(overlaps(runs)).toEqual([]);
}

async function deletePod({ namespace }: Stage): Promise<void> {
  await environment.kubectl("-n", namespace, "delete", "pod", "old", "--wait=false", "--ignore-not-found");
}

describe.concurrent("while the arbiter changes", () => {
  const turns = createSchedule({ width: 1 });
  /** With both replicas paused, none could be elected; with one paused, a new object may be refused. */
  const inTurn = <T>(act: () => Promise<T>) => turns.run({ grounds: ["clocks"], locks: [], uses: [] }, act);
  const overtake = () => inTurn(() => overtakeArbiter(environment));

  test("a hold is renewed by either replica and outlives a change of the arbiter, and the next main starts when its own has ended", async () => {
    const stage = await setStage(environment, "clocks", { ttl: `${TTL_MS / 1_000}s` });
    const { token } = await inTurn(() => holdBefore(stage));
    const renewedBy = (count: number) =>
      stage.lease(
        `renewal ${count}`,
        ({ status: { hold } }) => hold?.token === token && hold.renewals >= count,
      );
    for (const after of [RENEWALS, 2 * RENEWALS]) {
      await overtake();
      await renewedBy(after);
    }
    expect(await stage.journal.runs()).toMatchObject([{ by: "old" }]);
    await deletePod(stage);
    await takesTurns(stage);
  });

  test("max-hold is as long by either replica, also if the arbiter changes meanwhile", async () => {
    const terms = await countTerms(environment);
    const names = ["a", "b", "c"];
    const stages = await Promise.all(
      names.map(async (name) => {
        const stage = await setStage(environment, `max-${name}`, { ttl: `${TTL_MS / 1_000}s` });
        const annotations = { [ANNOTATION.maxHold]: `${MAX_HOLD_MS / 1_000}s` };
        await inTurn(() => stage.apply("old", { annotations }));
        return { stage, hold: await stage.holds("old") };
      }),
    );
    await inTurn(async () => {
      await overtakeArbiter(environment);
      for (const { stage, hold } of stages) {
        const isOver = ({ status }: Lease) => status.history.some(({ token }) => token === hold.token);
        const { status } = await stage.lease("the hold to end", isOver, MAX_HOLD_MS + 5 * TTL_MS);
        const { acquiredMs = 0, endedMs = 0 } =
          status.history.find(({ token }) => token === hold.token) ?? {};
        // Renewals, due each third of the ttl, are refused from then on. The hold ends when main has ended, or after its ttl.
        expect(endedMs - acquiredMs).toBeGreaterThan(MAX_HOLD_MS - SLACK_MS);
        const unplanned = Math.max(0, (await countTerms(environment)) - terms - 1);
        const withinMs = MAX_HOLD_MS + TTL_MS / 3 + TTL_MS + 10_000 + unplanned * PER_TERM_MS;
        expect(endedMs - acquiredMs).toBeLessThan(withinMs);
        await deletePod(stage);
      }
    });
  });
});

test("a silent holder keeps its klease for its ttl, whatever the wall clocks show", async () => {
  const stage = await setStage(environment, "silent", { ttl: `${TTL_MS / 1_000}s` });
  await holdBefore(stage);
  const { status } = await stage.lease("a renewal", ({ status: { hold } }) => (hold?.renewals ?? 0) > 0);
  const old = { namespace: stage.namespace, name: "old" };
  await environment.killContainer(old, "konductor-keeper", "SIGSTOP");
  const terms = await countTerms(environment);
  const silentSinceMs = performance.now();
  await stage.lease(
    "the hold to have expired",
    ({ status: { hold } }) => hold?.expired === true || hold?.token !== status.hold?.token,
  );
  const silentMs = performance.now() - silentSinceMs;
  // The last renewal was answered at most a third of the ttl before.
  expect(silentMs).toBeGreaterThan((TTL_MS * 2) / 3 - 1_000);
  const newTerms = (await countTerms(environment)) - terms;
  expect(silentMs).toBeLessThan(TTL_MS + 10_000 + newTerms * PER_TERM_MS);
  await environment.killContainer(old, "konductor-keeper", "SIGCONT");
  await deletePod(stage);
  await takesTurns(stage);
});

test("pods and clients wait for as long as they asked for, and are served in the order in which they came", async () => {
  const stage = await setStage(environment, "order", { ttl: "10m" });
  const { namespace } = stage;
  /** koncli on a machine whose wall clock is wrong by `errorMs`. */
  const client = (errorMs: number, ...args: string[]) =>
    koncli(["--kubeconfig", environment.cluster.kubeconfigPath, "-n", namespace, "lease", ...args], {
      clock: { ...systemClock(), nowMs: () => Date.now() + errorMs },
    });
  expect(await client(0, "acquire", "order", "--holder", "first")).toMatchObject({ code: 0 });
  const names = ["pod-1", "client-1", "pod-2", "client-2", "pod-3", "client-3"];
  const clients = [];
  for (const [index, name] of names.entries()) {
    const errorMs = (index - 2) * HOUR_MS;
    if (name.startsWith("pod")) await stage.apply(name, { runsForSeconds: 1 });
    else
      clients.push(
        client(errorMs, "exec", "order", "--holder", name, "--wait", "--timeout", "2m", "--", "/bin/true"),
      );
    await stage.waits(name);
  }
  await overtakeArbiter(environment);
  const waiting = waitingInOrder(
    await readLease(environment, namespace, "order"),
    await readRequests(environment, namespace),
  );
  expect(waiting.map(({ spec }) => spec.holder)).toEqual(names);
  expect(await client(0, "release", "order", "--holder", "first")).toMatchObject({ code: 0 });
  expect((await Promise.all(clients)).map(({ code, err }) => [code, err])).toEqual(
    clients.map(() => [0, expect.anything()]),
  );
  const { status } = await stage.atRest();
  expect(status.history.map(({ holder }) => holder).toReversed()).toEqual(["first", ...names]);
});

test("everything that the replicas have written has the right time", async () => {
  const { client } = environment;
  const written = [
    ...(await Promise.all([LEASES, LEASE_REQUESTS, EVENTS].map((each) => client.list(each)))).flatMap(
      ({ items }) => items,
    ),
    await client.get(ELECTION_LEASES, { namespace: SYSTEM_NAMESPACE, name: ELECTION_LEASE }),
  ];
  const times = JSON.stringify(written).match(/\d{4}-\d\d-\d\dT[\d:.]+Z/g) ?? [];
  expect(times.length).toBeGreaterThan(20);
  const wrong = times.filter(
    (time) => Date.parse(time) < startedMs - SLACK_MS || Date.parse(time) > Date.now() + 15 * 60_000,
  );
  expect(wrong).toEqual([]);
  const secret = record(await client.get(SECRETS, { namespace: SYSTEM_NAMESPACE, name: TLS_SECRET }));
  const pem = Buffer.from(text(record(secret["data"])["tls.crt"]) ?? "", "base64");
  const madeMs = Date.parse(new X509Certificate(pem).validFrom) + DAY_MS;
  expect(madeMs).toBeGreaterThan(startedMs - SLACK_MS);
  expect(madeMs).toBeLessThan(Date.now());
});

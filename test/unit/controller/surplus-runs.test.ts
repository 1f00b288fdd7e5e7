/** Runs of a CronJob beyond its max-waiting, and how many calls it takes to find that those before them still wait. */
import { expect, test } from "vitest";
import { ANNOTATION } from "../../../src/shared/names.ts";
import { microTime } from "../../../src/shared/times.ts";
import { aHold, NOW_MS } from "../lease/samples.ts";
import { jobObject, leaseObject, requestObject } from "./objects.ts";
import { type Fault, stageArbiter } from "./staged-arbiter.ts";

const WAIT = 20;
const TOO_MANY = 20;
const SOON_MS = 5_000;
const LOOK = "get leaserequests";
const nameOf = (run: number) => `nightly-${String(run).padStart(2, "0")}`;

/** Run number `run` of a CronJob, of which {@link WAIT} may wait: a Job that waits as a whole. */
function runOf(run: number) {
  const job = jobObject(nameOf(run), `job-${run}`);
  const { labels, annotations } = job.spec.template.metadata;
  const asked = { ...annotations, [ANNOTATION.maxWaiting]: String(WAIT) };
  return {
    ...job,
    metadata: {
      ...job.metadata,
      ownerReferences: [{ apiVersion: "batch/v1", kind: "CronJob", name: "nightly", uid: "cron-job" }],
    },
    spec: { ...job.spec, template: { metadata: { labels, annotations: asked } } },
  };
}

const requestOf = (run: number) =>
  requestObject(nameOf(run), `request-of-${run}`, {
    holderRef: { kind: "Job", name: nameOf(run), uid: `job-${run}` },
    requestedAt: microTime(NOW_MS - 60_000 + run),
  });

/** Somebody holds the klease, and more runs wait than may. */
function stage({ fault }: { fault?: Fault }) {
  const runs = Array.from({ length: WAIT + TOO_MANY }, (_, run) => run);
  const ref = { kind: "LeaseRequest", name: "holds", uid: "uid-of-holds" } as const;
  const hold = aHold({ holder: "ci", ref, ttlMs: 3_600_000 });
  const holds = requestObject(ref.name, ref.uid, {}, { phase: "Granted", token: hold.token });
  const staged = stageArbiter({
    objects: {
      leases: [leaseObject({ hold, lastToken: hold.token }, { ttl: "1h" })],
      jobs: runs.map(runOf),
      leaserequests: [holds, ...runs.map(requestOf)],
    },
    ...(fault && { fault }),
  });
  return {
    ...staged,
    looks: () => staged.calls.filter((what) => what === LOOK).length,
    skipped: () => staged.lease().status.skipped ?? 0,
  };
}

test("those that wait before are looked at one after the other, however many runs are too many", async () => {
  const { until, looks, end } = stage({ fault: (what) => (what === LOOK ? "unanswered" : undefined) });
  await until(() => looks() > 1, SOON_MS);
  expect(looks()).toBe(1);
  await end();
});

test("one look at each of those that wait before serves all runs that are too many", async () => {
  const { until, looks, skipped, end } = stage({});
  await until(() => skipped() === TOO_MANY, SOON_MS);
  expect(skipped()).toBe(TOO_MANY);
  expect(looks()).toBe(WAIT);
  await end();
});

test("a run that was found to wait no more is looked at before all others, and alone", async () => {
  const doubted = WAIT - 1;
  const looked: string[] = [];
  const staged = stage({
    fault: (what, name) => {
      if (what === LOOK) looked.push(name);
      return undefined;
    },
  });
  // Its user has suspended it, which only a live look shows.
  const { metadata, ...job } = runOf(doubted);
  staged.caches.jobs.apply = () => undefined;
  staged.put("jobs", { ...job, metadata: { ...metadata, annotations: {} } });
  await staged.until(() => looked.length >= WAIT, SOON_MS);
  expect(new Set(looked).size).toBe(WAIT);
  looked.length = 0;
  for (let looks = 0; looks < 2; looks++) {
    staged.put("leases", staged.stored("leases", "nightly") ?? {});
    await staged.until(() => looked.length > looks, SOON_MS);
  }
  expect(new Set(looked)).toEqual(new Set([nameOf(doubted)]));
  expect(staged.skipped()).toBe(0);
  await staged.end();
});

/** Jobs that wait as a whole, and whose pod template was changed while no webhook could refuse that. */
import { describe, expect, it } from "vitest";
import { record } from "../../../src/shared/json.ts";
import { ANNOTATION, LEASE_LABEL } from "../../../src/shared/names.ts";
import { microTime } from "../../../src/shared/times.ts";
import { NOW_MS } from "../lease/samples.ts";
import { jobObject, leaseObject, requestObject } from "./objects.ts";
import { stageArbiter } from "./staged-arbiter.ts";

const WHOLE = { [ANNOTATION.gate]: "job" };
const DONE = [{ key: "k1", holder: "first", token: 40, timeMs: NOW_MS - 60_000 }];

/** A Job that konductor has suspended, with what its template says now. */
function jobWith(annotations: object, lease = "nightly") {
  const job = jobObject("batch", "job-1");
  const metadata = { labels: { [LEASE_LABEL]: lease }, annotations };
  return { ...job, spec: { ...job.spec, template: { metadata } } };
}

const requestOfJob = (spec: object = {}) =>
  requestObject("nightly-batch", "request-8", {
    holderRef: { kind: "Job", name: "batch", uid: "job-1" },
    ...spec,
  });

function stage(job: object, spec: object = {}, others: readonly object[] = []) {
  const told: string[] = [];
  const staged = stageArbiter({
    objects: {
      leases: [leaseObject({ done: DONE })],
      jobs: [job],
      leaserequests: [requestOfJob(spec), ...others],
    },
    record: ({ object, reason, message }) => told.push(`${object.kind} ${reason} ${message}`),
  });
  const isSuspended = () => record(record(staged.stored("jobs", "batch"))["spec"])["suspend"];
  return { ...staged, told, isSuspended };
}

describe("a klease is not granted to a Job that asks for another one by now", () => {
  const waiter = requestObject("waiter", "uid-of-waiter", { requestedAt: microTime(NOW_MS - 1_000) });

  it("but to the next, and the Job asks anew", async () => {
    const { until, holder, requests, end } = stage(jobWith(WHOLE, "weekly"), {}, [waiter]);
    const tookMs = await until(() => holder() === "uid-of-waiter", 60_000);
    await until(() => requests().length === 2, 5_000);
    await end();
    expect(tookMs).toBeLessThan(5_000);
    expect(requests().map(({ spec }) => spec.lease)).toEqual(["nightly", "weekly"]);
  });

  it("and the Job leaves its queue as soon as it is changed", async () => {
    const { until, put, requests, clock, end } = stage(jobWith(WHOLE), {}, [
      requestObject("holds", "uid-of-holds", { requestedAt: microTime(NOW_MS - 9_000) }),
    ]);
    await clock.turn(3_000);
    put("jobs", jobWith(WHOLE, "weekly"));
    const isQueued = () => requests().some(({ spec }) => spec.lease === "nightly" && spec.ref);
    const tookMs = await until(() => !isQueued(), 10_000);
    await end();
    expect(tookMs).toBeLessThan(5_000);
  });
});

describe("a Job that asks for other work by now", () => {
  it("is asked for anew, though the work that it asked for before is done", async () => {
    const { until, holder, isSuspended, lease, end } = stage(jobWith({ ...WHOLE, [ANNOTATION.once]: "k2" }), {
      once: "k1",
    });
    await until(() => holder() === "job-1" && !isSuspended(), 60_000);
    const { hold } = lease().status;
    await end();
    expect(hold).toMatchObject({ once: "k2" });
  });

  it("does not note the other work as done", async () => {
    const { until, holder, lease, end } = stage(jobWith({ ...WHOLE, [ANNOTATION.once]: "k3" }), {
      once: "k2",
    });
    await until(() => holder() === "job-1", 60_000);
    const { hold } = lease().status;
    await end();
    expect(hold).toMatchObject({ once: "k3" });
  });

  it("keeps its request if that has no key, as an older CRD stores none", async () => {
    const { until, holder, requests, end } = stage(jobWith({ ...WHOLE, [ANNOTATION.once]: "k2" }));
    await until(() => holder() === "job-1", 60_000);
    await end();
    expect(requests()).toMatchObject([{ uid: "request-8" }]);
  });
});

describe("an event says why a Job that konductor has suspended does not wait", () => {
  it.each<[string, object, string]>([
    [
      "it lost its gate",
      {},
      'konductor has suspended it, and its pod template is without konductor.io/gate "job"',
    ],
    [
      "its template cannot be read",
      { ...WHOLE, "konductor.io/prioriti": "1", [ANNOTATION.startTimeout]: "20s" },
      'in its pod template metadata.annotations[konductor.io/prioriti]: Invalid value: "1": konductor knows no such annotation; ' +
        "did you mean konductor.io/priority?",
    ],
  ])("%s", async (_, annotations, why) => {
    const { until, told, requests, end } = stage(jobWith(annotations));
    const wanted = `Job Refused does not wait for klease nightly: ${why}; delete the Job and create it again`;
    await until(() => told.includes(wanted), 900_000);
    await end();
    expect(told).toContain(wanted);
    expect(requests()).toEqual([]);
  });
});

/** What `koncli lease why` may find, each sound by itself: a test changes what it is about. */

import type { Known } from "../../../../src/cli/known.ts";
import type { Facts, HolderPodFacts, JobSubject, PodSubject } from "../../../../src/cli/why/facts.ts";
import type { JobView } from "../../../../src/lease/job.ts";
import type { ContainerView, PodView } from "../../../../src/lease/pod.ts";
import { readAsked } from "../../../../src/lease/settings.ts";
import { createPod, statusOf, type TruePod } from "../../lease/pod-fixture.ts";
import { aRequest, held, NOW_MS } from "../../lease/samples.ts";

export const known = <T>(value: T): Known<T> => ({ is: "known", value });
export const MISSING = { is: "missing" } as const;
export const unread = (what: string) => ({ is: "unread", why: `you may not ${what} in ns` }) as const;

/** A pod, by default one whose gate has asked for two minutes. */
export function aPod(
  truth: Partial<TruePod> = {},
  view: Partial<PodView> = {},
  start: Partial<PodSubject> = {},
): PodSubject {
  const status = statusOf({ ...createPod(9, { selfFencing: true, restartPolicy: "Never" }), ...truth });
  const gate = status.gate && { ...status.gate, startedMs: NOW_MS - 120_000 };
  return {
    kind: "Pod",
    pod: { ...status, ...(gate && { gate }), ...view },
    createdMs: NOW_MS - 125_000,
    otherGates: [],
    lacksSandbox: false,
    before: [],
    ...start,
  };
}

/** Its gate, which does not run. */
export const idleGate = (change: Partial<ContainerView> = {}): Partial<PodView> => ({
  gate: { name: "konductor-gate", kind: "init", state: "waiting", hasRestartRules: false, ...change },
});

/** The request of {@link aPod}. */
export const itsRequest = (change: Parameters<typeof aRequest>[0] = {}) =>
  aRequest({
    ...change,
    name: "own",
    spec: {
      holder: "run-9",
      ref: { kind: "Pod", name: "run-9", uid: "pod-9" },
      requestedAtMs: NOW_MS - 118_000,
      ...change.spec,
    },
  });

export function aJob(change: Partial<JobView> = {}, subject: Partial<JobSubject> = {}): JobSubject {
  return {
    kind: "Job",
    createdMs: NOW_MS - 125_000,
    pods: known([]),
    ...subject,
    job: {
      ...{ namespace: "ns", name: "report", uid: "job-1", resourceVersion: "1", lease: "nightly" },
      ...readAsked("nightly", {}),
      ...{
        marked: false,
        resumed: false,
        labelled: true,
        suspended: false,
        over: false,
        hasSucceeded: false,
      },
      ...change,
    },
  };
}

/** The pod that holds in `held()`, whose main has run for a while. */
export function holderPod(
  truth: Partial<TruePod> = {},
  view: Partial<PodView> = {},
  change: Partial<HolderPodFacts> = {},
): HolderPodFacts {
  const times = {
    gateFinishedMs: NOW_MS - 9_000,
    mainStartedMs: NOW_MS - 8_000,
    keeperStartedMs: NOW_MS - 9_000,
  };
  const pod = createPod(1, { selfFencing: true, restartPolicy: "Never" });
  const state = { gate: "passed", main: "running", keeper: "running", token: 41 } as const;
  return {
    ref: { kind: "Pod", name: "run-1", uid: "pod-1", node: "node-1" },
    pod: known({ ...statusOf({ ...pod, ...state, ...times, ...truth }), ...view }),
    isNodeReady: known(true),
    ...change,
  };
}

/** {@link aPod} waits behind run-1, which holds. */
export function theFacts(change: Partial<Facts> = {}): Facts {
  return {
    namespace: "ns",
    subject: aPod(),
    lease: known(held()),
    requests: known([itsRequest()]),
    holderPods: [holderPod()],
    nowMs: NOW_MS,
    ...change,
  };
}

import { describe, expect, test } from "vitest";
import { explain } from "../../../../src/cli/why/explain.ts";
import type { Facts } from "../../../../src/cli/why/facts.ts";
import type { PodView } from "../../../../src/lease/pod.ts";
import { readAsked } from "../../../../src/lease/settings.ts";
import type { Hold, Lease, PastHold } from "../../../../src/lease/types.ts";
import { aHold, aLease, aRequest, held, NOW_MS } from "../../lease/samples.ts";
import { aJob, aPod, holderPod, idleGate, itsRequest, known, MISSING, theFacts, unread } from "./facts.ts";

const asked = (annotations: object) => readAsked("nightly", annotations);
const other = (holder: string, spec: object = {}) =>
  aRequest({ name: holder, spec: { holder, requestedAtMs: NOW_MS - 300_000, ...spec } });
const says = (facts: Facts) => explain(facts).sentences.join(" ");
const without = <K extends keyof PodView>(...fields: K[]) =>
  Object.fromEntries(fields.map((each) => [each, undefined]));

test("one paragraph says what it waits for, behind whom, why that one holds, what ends that, and by which command", () => {
  const vip = other("vip", { priority: 7, requestedAtMs: NOW_MS });
  const requests = known([itsRequest(), other("a"), vip, other("later", { requestedAtMs: NOW_MS })]);
  const explained = explain(theFacts({ requests }));
  expect(explained).toMatchObject({ state: "Waiting", lease: "nightly", place: { position: 3, of: 4 } });
  expect(explained.sentences).toEqual([
    "Pod run-9 has waited for klease nightly since 2026-01-01T00:08:02Z (118s ago), as number 3 of 4 in the queue, behind vip and a " +
      "(by priority: vip 7; its own is 0).",
    "Pod run-1 on node node-1 has held the klease since 2026-01-01T00:09:50Z (10s ago) under token 41, and renewed last 5s ago.",
    "Pod run-1 keeps it while its container main runs.",
    "If it is not heard again, its ttl of 1m is over at 2026-01-01T00:10:57Z: it stops itself before that, and the next is granted then.",
    "To end it now, stop its work by kubectl delete pod run-1 -n ns; an admin can run koncli lease release nightly --force --token 41 -n ns.",
  ]);
});

test.each([
  [[], /, and nobody else waits for it\. /],
  [[other("later", { requestedAtMs: NOW_MS })], /, as the next of 2 in the queue\. /],
  [
    ["a", "b", "c", "d", "e"].map((name) => other(name)),
    /, as number 6 of 6 in the queue, behind a, b, c and 2 more\. /,
  ],
])("of %j waiters it says its place", (others, expected) => {
  expect(says(theFacts({ requests: known([itsRequest(), ...others]) }))).toMatch(expected);
});

test("once enough holds are known it says when the turn will probably come", () => {
  const lease = held();
  const status = { ...lease.status, holdSeconds: Array(10).fill(600) };
  const facts = theFacts({ lease: known({ ...lease, status }), requests: known([itsRequest()]) });
  expect(says(facts)).toContain(" Its turn probably comes in 9m, as the last holds have lasted.");
});

test.each<[string, Lease, RegExp]>([
  [
    "nobody",
    aLease({}, { paused: true }),
    /\. Nobody holds it\. It is paused; to end that: koncli lease resume nightly -n ns\.$/,
  ],
  [
    "a pod",
    held({}, { paused: true, pauseReason: "repairs" }),
    /\. It is paused \("repairs"\), so nobody is granted it afterwards; to end that: koncli lease resume nightly -n ns\.$/,
  ],
])("a paused klease that %s holds is granted to nobody", (_, lease, told) => {
  expect(says(theFacts({ lease: known(lease), requests: known([itsRequest()]) }))).toMatch(told);
});

describe("why the holder holds", () => {
  const lease = (hold: Partial<Hold>, spec: Partial<Lease["spec"]> = {}) => ({
    lease: known(held(hold, spec)),
  });
  const notFencing = {
    ref: { kind: "Pod", name: "run-1", uid: "pod-1", node: "node-1", selfFencing: false },
  } as const;
  const expired = { expired: true, expiresMs: NOW_MS - 5_000 };
  const silent = { expiresMs: NOW_MS + 5_000 };
  const crashing = {
    name: "main",
    kind: "app",
    state: "waiting",
    hasRestartRules: false,
    isBackingOff: true,
    restarts: 7,
  } as const;
  const client = { holder: "ci 7", ref: { kind: "LeaseRequest", name: "x", uid: "uid-of-c" } } as const;
  const jobPods = ["a", "b", "c", "d"].map((name) => ({
    kind: "Pod" as const,
    name,
    uid: name,
    node: "n1",
    releasing: false,
  }));
  const job = { holder: "week", ref: { kind: "Job", name: "week", uid: "j" } } as const;
  const condition = {
    type: "HolderUnreachable",
    status: "True",
    reason: "NoProofOfTermination",
    message: "taint node-1",
    lastTransitionMs: 0,
  } as const;
  const unreachable = aLease({ hold: aHold({ ...expired, unreachable: true }), conditions: [condition] });

  test.each<[string, Partial<Facts>, RegExp]>([
    [
      "no right to see its pod",
      { holderPods: [holderPod({}, {}, { pod: unread("get pods") })] },
      /Whether pod run-1 still runs is not known: you may not get pods in ns\. /,
    ],
    [
      "its pod is gone",
      { holderPods: [holderPod({}, {}, { pod: MISSING })] },
      /pod run-1 is gone, and nobody has seen .*: the next is granted when it is proved .* an admin runs koncli lease release nightly --force --token 41 -n ns\.$/,
    ],
    [
      "its node is down",
      { holderPods: [holderPod({}, {}, { isNodeReady: known(false) })] },
      /Its node node-1 is not Ready\./,
    ],
    [
      "nothing is known of the node of one that is late",
      { ...lease(silent), holderPods: [holderPod({}, {}, { isNodeReady: unread("get nodes") })] },
      /Whether node node-1 is Ready is not known: you may not get nodes/,
    ],
    [
      "it crash-loops",
      { holderPods: [holderPod({}, { main: [crashing] })] },
      /its container main crash-loops \(7 restarts\).*max-restarts would end that/,
    ],
    [
      "a sidecar lingers",
      { holderPods: [holderPod({}, { main: lingering() })] },
      /is kept by container proxy, although others have ended/,
    ],
    [
      "it has not started",
      {
        holderPods: [
          holderPod(
            { main: "waiting" },
            { main: [{ name: "main", kind: "app", state: "waiting", hasRestartRules: false }] },
          ),
        ],
      },
      /No container of pod run-1 has started yet.*at 2026-01-01T00:19:50Z \(in 9m\), its start-timeout/,
    ],
    [
      "it is being deleted",
      { holderPods: [holderPod({}, { deletionMs: NOW_MS + 20_000 })] },
      /is being deleted, and has until 2026-01-01T00:10:20Z \(in 20s\) to stop/,
    ],
    [
      "it has a max-hold",
      { holderPods: [holderPod({}, asked({ "konductor.io/max-hold": "1h" }))] },
      /Its max-hold of 1h ends its renewals at 2026-01-01T01:09:50Z/,
    ],
    [
      "it may not renew",
      { holderPods: [holderPod({}, asked({ "konductor.io/renew": "false" }))] },
      /cannot be renewed, and ends at 2026-01-01T00:10:55Z/,
    ],
    [
      "nobody may renew",
      lease({}, { renewable: false }),
      /cannot be renewed, and ends at 2026-01-01T00:10:55Z/,
    ],
    [
      "it cannot fence",
      lease(notFencing),
      /: it is deleted, and the next is granted when it is proved that its containers have stopped\./,
    ],
    [
      "it cannot fence, AfterExpiry",
      lease(notFencing, { handoverPolicy: "AfterExpiry" }),
      /: it is deleted, and the next is granted when it has ended, or its grace period is over/,
    ],
    [
      "AfterTermination",
      lease({}, { handoverPolicy: "AfterTermination" }),
      /granted when it is proved .* \(handoverPolicy AfterTermination\)/,
    ],
    [
      "on-lost: continue",
      { holderPods: [holderPod({}, asked({ "konductor.io/on-lost": "continue" }))] },
      /it may run on beside that \(on-lost: continue\)/,
    ],
    [
      "it has expired",
      lease({ ...expired, ...notFencing }),
      /It went silent, and its hold expired at 2026-01-01T00:09:55Z \(5s ago\): it is deleted/,
    ],
    [
      "its ttl is over and no arbiter sees it",
      lease({ expiresMs: NOW_MS - 60_000 }),
      /no arbiter has noticed: konductor does not answer/,
    ],
    [
      "it is ending, and being deleted",
      { ...lease({ releasing: true }), holderPods: [holderPod({}, { deletionMs: NOW_MS + 20_000 })] },
      /Its keeper has said .* is being deleted, and has until 2026-01-01T00:10:20Z/,
    ],
    [
      "it is ending",
      lease({ releasing: true }),
      /Its keeper has said that the pod ends; .* have\. To end it now/,
    ],
    [
      "an admin took it",
      lease({ revoked: "Forced" }),
      /An admin took the klease from run-1, so its renewals are refused/,
    ],
    [
      "it has not answered",
      lease({ confirmed: false, renewals: 0 }),
      /granted to pod run-1 at .*, which has not answered yet\. If it does not answer within 10s/,
    ],
    [
      "it is being scheduled",
      {
        ...lease({ confirmed: false, renewals: 0 }),
        holderPods: [
          holderPod({ gate: "asking" }, { ...idleGate(), ...asked({ "konductor.io/gate": "scheduling" }) }),
        ],
      },
      /has until 2026-01-01T00:19:50Z \(in 9m\), its start-timeout, to find one/,
    ],
    ["only a person can know", { lease: known(unreachable) }, /Somebody has to act: taint node-1\.$/],
    [
      "a client",
      {
        ...lease(client),
        requests: known([
          itsRequest(),
          aRequest({ name: "c", spec: { requestedBy: "alice" }, status: { phase: "Granted" } }),
        ]),
        holderPods: [],
      },
      /Client ci 7 of user alice has held .* its own user runs koncli lease release nightly --holder 'ci 7' -n ns/,
    ],
    [
      "a Job",
      {
        ...lease({ ...job, pods: jobPods }),
        holderPods: ["a", "b", "c"].map((name) =>
          holderPod({ name, uid: name }, {}, { ref: { kind: "Pod", name, uid: name, node: "n1" } }),
        ),
      },
      /Job week has held .* with a on node n1, b on node n1, c on node n1 and 1 more.* Pod c keeps it while its container main runs\. To end it now, stop its work by kubectl delete job week -n ns/,
    ],
    [
      "a Job without pods",
      { ...lease({ ...job, pods: [] }), holderPods: [] },
      /with no pods now, .* until it is Complete, Failed, deleted or suspended/,
    ],
  ])("%s", (_, change, expected) => {
    const explained = explain(theFacts(change));
    expect(explained.state).toBe("Waiting");
    expect(explained.sentences.join(" ")).toMatch(expected);
  });

  function lingering(): PodView["main"] {
    const times = { startedMs: NOW_MS - 8_000, hasRestartRules: false } as const;
    return [
      { ...times, name: "main", kind: "app", state: "terminated", exitCode: 0, finishedMs: NOW_MS - 1_000 },
      { ...times, name: "proxy", kind: "app", state: "running" },
    ];
  }
});

const PASSED = { gate: "passed", token: 12 } as const;
const forced = {
  holder: "run-9",
  acquiredMs: 0,
  endedMs: NOW_MS - 60_000,
  reason: "Forced",
  by: "alice",
  token: 12,
} as const;
const ended = (past: PastHold) => ({ ...held(), status: { ...held().status, history: [past] } });
const withHistory = ended(forced);
const mine = { subject: aPod({ uid: "pod-1", name: "run-1", gate: "passed", token: 41 }) };
const none = known([]);
const idle = (start: object, view: object = {}) => ({
  requests: none,
  subject: aPod({}, { ...idleGate(), ...view }, start),
});
const whole = asked({ "konductor.io/gate": "job" });
const late = asked({ "konductor.io/gate": "scheduling" });

test.each<[string, Partial<Facts>, string, RegExp]>([
  [
    "nobody holds",
    {
      lease: known(aLease()),
      holderPods: [],
      requests: known([itsRequest({ spec: { requestedAtMs: NOW_MS - 2_000 } })]),
    },
    "Waiting",
    /Nobody holds it: the next is granted in a moment\.$/,
  ],
  [
    "a deleted klease's holder is awaited",
    { lease: known(aLease({ awaited: "nothing proves the end of pod old" })), holderPods: [] },
    "Waiting",
    /Nobody holds it, but nothing proves the end of pod old\.$/,
  ],
  [
    "no arbiter",
    { lease: known(aLease()), holderPods: [] },
    "Waiting",
    /konductor's arbiter does not answer\. Check that it runs \(koncli doctor\)/,
  ],
  [
    "a klease that is being deleted",
    { lease: known({ ...aLease(), terminating: true }), holderPods: [] },
    "Waiting",
    /not granted while it is being deleted/,
  ],
  [
    "no klease",
    { lease: MISSING, holderPods: [] },
    "LeaseMissing",
    /koncli lease create nightly --ttl 10m -n ns\.$/,
  ],
  [
    "konductor does not answer",
    { requests: none, subject: aPod({}, {}, { gateLog: known("ECONNREFUSED") }) },
    "Unanswered",
    /since 2026-01-01T00:08:00Z \(2m ago\), and has no LeaseRequest: .* Its gate says: "ECONNREFUSED"\. Check that konductor runs .* Pod run-1 on node/,
  ],
  [
    "no right to logs",
    { requests: none, subject: aPod({}, {}, { gateLog: unread("get pods/log") }) },
    "Unanswered",
    /What its gate says is not known: you may not get pods\/log in ns\./,
  ],
  [
    "a gate that has just begun",
    { requests: none, nowMs: NOW_MS - 119_000 },
    "Starting",
    /is about to join the queue/,
  ],
  [
    "no right to see the klease",
    { lease: unread("get Leases"), holderPods: [] },
    "Waiting",
    /Who holds it is not known: you may not get Leases in ns\.$/,
  ],
  [
    "no right to see the queue",
    { requests: unread("list LeaseRequests") },
    "Unknown",
    /^Which place pod run-9 has .* is not known: you may not list LeaseRequests in ns\. Pod run-1 on node/,
  ],
  [
    "no right to see anything",
    { lease: unread("get Leases"), requests: unread("list LeaseRequests"), holderPods: [] },
    "Unknown",
    /LeaseRequests in ns\. Who holds klease nightly is not known: you may not get Leases in ns\.$/,
  ],
  [
    "a wait-timeout",
    { requests: known([itsRequest({ spec: { waitUntilMs: NOW_MS + 60_000 } })]) },
    "Waiting",
    /Its wait-timeout ends its waiting at 2026-01-01T00:11:00Z \(in 60s\)\.$/,
  ],
  [
    "passed over",
    { requests: known([itsRequest({ status: { phase: "Pending", reason: "NotConfirmed" } })]) },
    "Waiting",
    /passed over until its gate asks again/,
  ],
  [
    "timed out",
    {
      requests: known([
        itsRequest({
          status: { phase: "Denied", reason: "TimedOut" },
          spec: { waitUntilMs: NOW_MS - 58_000 },
        }),
      ]),
    },
    "NotGranted",
    /it has waited for 1m, its wait-timeout/,
  ],
  [
    "if-held: fail",
    { requests: known([itsRequest({ status: { phase: "Denied", reason: "Held" } })]) },
    "NotGranted",
    /if-held: fail does not wait/,
  ],
  [
    "its Job is skipped",
    { requests: known([itsRequest({ status: { phase: "Denied", reason: "Skipped" } })]) },
    "Skipped",
    /its Job is skipped/,
  ],
  [
    "its work is done already",
    {
      requests: known([
        itsRequest({ spec: { once: "v42" }, status: { phase: "Denied", reason: "AlreadyDone" } }),
      ]),
    },
    "AlreadyDone",
    /^Pod run-9 does not wait: under klease nightly "v42" is done already.*, so it ends without having run\.$/,
  ],
  [
    "it holds",
    mine,
    "Holds",
    /^Pod run-1 does not wait: it holds klease nightly since .* under token 41, and renewed last 5s ago; nobody waits for it\.$/,
  ],
  [
    "it loses what it holds",
    { ...mine, lease: known(held({ revoked: "CrashLooping" })) },
    "Lost",
    /loses it: konductor has taken it away \(CrashLooping\)/,
  ],
  [
    "it was fenced",
    { subject: aPod(PASSED), lease: known(withHistory) },
    "Lost",
    /under token 12 was over at 2026-01-01T00:09:00Z \(60s ago\) \(Forced by alice\)\. Its keeper stops/,
  ],
  [
    "its main has just ended",
    { subject: aPod(PASSED), lease: known(ended({ ...forced, reason: "Terminated" })) },
    "Ended",
    /under token 12 was over at .* \(Terminated by alice\)\.$/,
  ],
  [
    "it goes on without a hold",
    { subject: aPod(PASSED, asked({ "konductor.io/on-lost": "continue" })), lease: known(withHistory) },
    "Lost",
    /It runs on all the same \(on-lost: continue\)/,
  ],
  [
    "let through, and no right to see the klease",
    { subject: aPod(PASSED), lease: unread("get Leases") },
    "Unknown",
    /Whether it still holds klease nightly is not known: you may not get Leases/,
  ],
  [
    "no label",
    { subject: aPod({}, without("lease")) },
    "Unlabelled",
    /has no label konductor\.io\/lease, so it waits for no klease/,
  ],
  [
    "a label and no gate",
    { subject: aPod({}, without("gate")) },
    "Unlabelled",
    /has the label for klease nightly, but no gate/,
  ],
  [
    "it was refused and may not rerun",
    { subject: aPod({}, { phase: "Failed" }, { gateExit: { code: 69, message: "it was not free (Held)" } }) },
    "NotGranted",
    /Its gate said: it was not free \(Held\)\.$/,
  ],
  [
    "it lost its hold and may not rerun",
    { subject: aPod({}, { phase: "Failed" }, { gateExit: { code: 76, message: "" } }) },
    "Lost",
    /may not run again/,
  ],
  [
    "it has done its work",
    { subject: aPod({}, { phase: "Succeeded" }, { gateExit: { code: 0, message: "acquired 12 in b/1" } }) },
    "Ended",
    /has ended \(Succeeded\) after it had held klease nightly under token 12/,
  ],
  [
    "it ended without a turn",
    { subject: aPod({}, { phase: "Failed" }) },
    "Ended",
    /has ended \(Failed\) without having held/,
  ],
  [
    "it is being deleted",
    { subject: aPod({}, { deletionMs: NOW_MS + 30_000 }) },
    "Ending",
    /is being deleted/,
  ],
  [
    "it has no node",
    idle({ unscheduled: "0/3 nodes are available: 3 Insufficient cpu." }, without("node")),
    "Starting",
    /its gate has not asked yet\. It has no node yet: 0\/3 nodes are available: 3 Insufficient cpu\.$/,
  ],
  [
    "the gate's image",
    idle({ gateWaits: { reason: "ImagePullBackOff", message: "Back-off pulling image" } }),
    "Starting",
    /cannot be pulled on node node-of-run-9 \(ImagePullBackOff\): Back-off pulling image\.$/,
  ],
  [
    "the gate's container",
    idle({ gateWaits: { reason: "CreateContainerConfigError", message: "no secret" } }),
    "Starting",
    /has not started on node node-of-run-9 \(CreateContainerConfigError: no secret\)\.$/,
  ],
  ["no sandbox", idle({ lacksSandbox: true }), "Starting", /\(PodReadyToStartContainers\)/],
  [
    "a mesh's container comes first",
    idle({ before: ["istio-validation"] }),
    "Starting",
    /Its init container istio-validation must come first/,
  ],
  [
    "the gate crashes",
    idle({ gateExit: { code: 78, message: "" } }, { restartPolicy: "OnFailure" }),
    "NotGranted",
    /Its gate ended with exit code 78\. The kubelet runs it again after a back-off/,
  ],
  [
    "other scheduling gates",
    idle(
      { otherGates: ["kueue.x-k8s.io/admission"] },
      { gated: true, hasOtherGates: true, ...without("node") },
    ),
    "Starting",
    /other scheduling gates are gone \(kueue\.x-k8s\.io\/admission\)/,
  ],
  [
    "it waits unscheduled",
    { subject: aPod({}, { gated: true, ...without("node"), ...idleGate(), ...late }) },
    "Waiting",
    /and nobody else waits/,
  ],
  [
    "granted, and without a node",
    {
      subject: aPod(
        { uid: "pod-1", name: "run-1" },
        { ...without("node"), ...idleGate(), ...late },
        { unscheduled: "0/3 nodes" },
      ),
      lease: known(held({ confirmed: false, renewals: 0 })),
    },
    "Granted",
    /waits for its answer\. It has no node yet: 0\/3 nodes\.$/,
  ],
  [
    "it shares its Job's hold",
    {
      subject: aPod({ ...PASSED, job: { name: "week", uid: "j" } }),
      lease: known(
        held({
          ref: { kind: "Job", name: "week", uid: "j" },
          pods: [{ kind: "Pod", name: "run-9", uid: "pod-9", releasing: false }],
        }),
      ),
    },
    "Holds",
    /under the hold of its Job week/,
  ],
  [
    "it joins its Job's hold",
    {
      subject: aPod({ job: { name: "week", uid: "j" } }),
      lease: known(held({ ref: { kind: "Job", name: "week", uid: "j" }, pods: [] })),
    },
    "Joining",
    /waits to join its Job week/,
  ],
  ["it has lost its Job", { subject: aPod({}, whole) }, "NotGranted", /has lost the Job/],
])("a pod: %s", (_, change, state, expected) => {
  const explained = explain(theFacts(change));
  expect(explained.sentences.join(" ")).toMatch(expected);
  expect(explained.state).toBe(state);
});

const itsJob = { holder: "report", ref: { kind: "Job", name: "report", uid: "job-1" } } as const;
const refused = aPod(
  { name: "old", uid: "old" },
  { phase: "Failed" },
  { gateExit: { code: 69, message: "x" } },
);

test.each<[string, Partial<Facts>, string, RegExp]>([
  [
    "no label",
    { subject: aJob({ labelled: false, ...without("lease") }) },
    "Unlabelled",
    /^Job report has no label/,
  ],
  [
    "a label on the Job alone",
    { subject: aJob(without("lease")) },
    "Unlabelled",
    /its pod template does not: .*Delete it and create it again/,
  ],
  [
    "skipped",
    {
      subject: aJob(
        { over: true },
        { end: { type: "Complete", reason: "LeaseHeld", message: "held by run-1" } },
      ),
    },
    "Skipped",
    /it was skipped for klease nightly, .* \(held by run-1\)/,
  ],
  [
    "ended because its work is done already",
    {
      subject: aJob(
        { over: true },
        { end: { type: "Complete", reason: "AlreadyDone", message: '"v42" is done already: by first' } },
      ),
    },
    "AlreadyDone",
    /has ended without having run, because under klease nightly "v42" is done already: by first\. .* koncli lease forget nightly KEY/,
  ],
  [
    "failed",
    {
      subject: aJob(
        { over: true },
        { end: { type: "Failed", reason: "BackoffLimitExceeded", message: "too often" } },
      ),
    },
    "Ended",
    /its condition Failed says \(BackoffLimitExceeded: too often\)/,
  ],
  ["being deleted", { subject: aJob({ deletionMs: NOW_MS }) }, "Ending", /is being deleted/],
  [
    "suspended by its user",
    { subject: aJob({ suspended: true }) },
    "Suspended",
    /kubectl patch job report -n ns --type=merge -p '\{"spec":\{"suspend":false\}\}'\.$/,
  ],
  [
    "as a whole",
    {
      subject: aJob({ suspended: true, marked: true, ...whole }),
      requests: known([itsRequest({ spec: itsJob })]),
    },
    "Waiting",
    /^Job report has waited for klease nightly since .* Pod run-1 on node/,
  ],
  [
    "as a whole, and holds",
    { subject: aJob(whole), lease: known(held({ ...itsJob, pods: [] })) },
    "Holds",
    /^Job report does not wait: it holds/,
  ],
  [
    "as a whole, unheard",
    { subject: aJob(whole), requests: none },
    "Unanswered",
    /^Job report should have been in the queue .* since 2026-01-01T00:07:55Z/,
  ],
  [
    "no pods",
    { subject: aJob({}, { trouble: 'webhook "pods.konductor.io" failed' }) },
    "Starting",
    /no pods yet .* The last that was said about it: webhook "pods\.konductor\.io" failed\./,
  ],
  ["one pod", { subject: aJob({}, { pods: known([aPod()]) }) }, "Waiting", /^Pod run-9 has waited/],
  [
    "of two pods the one that waits",
    { subject: aJob({}, { pods: known([refused, aPod()]) }) },
    "Waiting",
    /^Job report has 2 pods: .*This is about run-9\. Pod run-9 has waited/,
  ],
  [
    "no right to see its pods",
    { subject: aJob({}, { pods: unread("list pods") }) },
    "Unknown",
    /is not known: you may not list pods in ns\. Klease nightly is held\. Pod run-1 on node/,
  ],
])("a Job: %s", (_, change, state, expected) => {
  const explained = explain(theFacts(change));
  expect(explained.sentences.join(" ")).toMatch(expected);
  expect(explained.state).toBe(state);
});

const hidden = { kind: "Hidden", name: "run-9", why: "you may not get pods in ns" } as const;

test.each<[string, Partial<Facts>, string, RegExp]>([
  [
    "its request tells",
    { subject: { ...hidden, request: itsRequest() } },
    "Waiting",
    /^What run-9 does is not known: you may not get pods in ns\. Pod run-9 has waited .* Pod run-1 on/,
  ],
  [
    "it has no request",
    { subject: hidden },
    "Unknown",
    /No LeaseRequest in ns is of a pod or Job of this name/,
  ],
  [
    "requests are hidden, too",
    { subject: hidden, requests: unread("list LeaseRequests") },
    "Unknown",
    /place in a queue is not known: you may not list LeaseRequests in ns\.$/,
  ],
])("of a pod that may not be read: %s", (_, change, state, expected) => {
  const explained = explain(theFacts(change));
  expect(explained.sentences.join(" ")).toMatch(expected);
  expect(explained.state).toBe(state);
});

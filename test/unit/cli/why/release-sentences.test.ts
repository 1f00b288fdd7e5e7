/** What is said of a forced release before it is asked for. */
import { expect, test } from "vitest";
import { releaseSentences } from "../../../../src/cli/why/release-sentences.ts";
import type { Hold } from "../../../../src/lease/types.ts";
import { aHold, aLease, NOW_MS } from "../../lease/samples.ts";
import { holderPod, known, MISSING, theFacts, unread } from "./facts.ts";

function saidOf(hold: Partial<Hold>, facts: Parameters<typeof theFacts>[0] = {}): string {
  const lease = aLease({ hold: aHold(hold), waiters: 1, next: { holder: "next-1", sinceMs: NOW_MS } });
  return releaseSentences(lease, aHold(hold), theFacts(facts)).join(" ");
}

test("a pod that is seen running is deleted, and proof is awaited unless one does not want to", () => {
  const said = saidOf({});
  expect(said).toMatch(/^Pod run-1 on node node-1 has held the klease since .* under token 41/);
  expect(said).toContain("The renewals of pod run-1 are refused from then on.");
  expect(said).toContain(
    "With proof: run-1 on node node-1 is seen running, so pod run-1 is deleted, and the hold ends when it is proved that its containers have stopped.",
  );
  expect(said).toContain("Without waiting for proof the hold ends at once, and the next may run beside it.");
  expect(said).toMatch(/The next is next-1\.$/);
});

test.each([
  ["gone", holderPod({}, {}, { pod: MISSING })],
  ["on a node that is not Ready", holderPod({}, {}, { isNodeReady: known(false) })],
])("a pod that is %s: konductor believes the user", (_, pod) => {
  expect(saidOf({}, { holderPods: [pod] })).toContain("konductor believes you: the hold ends at once");
});

test("what may not be read is said, with what depends on it", () => {
  const said = saidOf({}, { holderPods: [holderPod({}, {}, { pod: unread("get pods") })] });
  expect(said).toContain("Whether it runs is not known: you may not get pods in ns.");
  expect(said).toContain("Without waiting for proof");
});

test("a Job is suspended", () => {
  const said = saidOf({ ref: { kind: "Job", name: "report", uid: "job-1" }, pods: [] });
  expect(said).toContain("Job report is suspended, which ends its pods");
});

test("of a client no proof is awaited", () => {
  const said = saidOf(
    { ref: { kind: "LeaseRequest", name: "ci", uid: "r-1" }, holder: "ci" },
    { holderPods: [] },
  );
  expect(said).toContain("No proof is awaited of a client: the hold ends at once");
});

test("of a grant that is not answered nothing runs", () => {
  expect(saidOf({ confirmed: false })).toContain("nothing of it runs: the hold ends at once");
});

test("nobody may wait", () => {
  const hold = aHold();
  expect(releaseSentences(aLease({ hold }), hold, theFacts()).at(-1)).toBe("Nobody waits for it.");
});

/** A gate that waits at a replica whose watches are silent while all else works. */
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { EXIT } from "../../../src/shared/names.ts";
import { type Certificate, selfSigned } from "../gate/certificates.ts";
import { openReplicaPair, POD, type ReplicaPair } from "./replica-pair.ts";

let certificate: Certificate;
let pair: ReplicaPair;
beforeAll(() => {
  certificate = selfSigned();
});
beforeEach(async () => {
  pair = await openReplicaPair(certificate);
});
afterEach(() => pair.close());

test.each(["leases", "leaserequests"])(
  "a gate learns of its grant and confirms it, although all watches of %s are stalled at its replica",
  async (plural) => {
    const { ill, other, hold, turnUntil } = pair;
    pair.meetIllFirst(2);
    const code = await pair.waitAtGate();
    ill.stalled.add(plural);
    ill.calls.length = 0;
    await turnUntil(() => false, 1_000);
    if (plural !== "leases") await turnUntil(() => other.connections() > 0, 60_000, 50);
    pair.grant(POD.name, 42);
    await turnUntil(() => code() !== undefined, 60_000, 50);
    expect([code(), hold()?.confirmed]).toEqual([EXIT.done, true]);
    // The silence causes no calls.
    expect(ill.calls).toEqual([]);
  },
);

test("a stalled watch is replaced within the 10 s in which a grant must be confirmed", async () => {
  const { stage, ill, other, turnUntil } = pair;
  pair.meetIllFirst(4);
  const code = await pair.waitAtGate();
  ill.stalled.add("leases");
  pair.grant(POD.name, 42);
  const grantedMs = stage.clock.monotonicMs();
  await turnUntil(() => false, 7_000, 100);
  ill.stalled.clear();
  await turnUntil(() => code() !== undefined, 5_000);
  expect(code()).toBe(EXIT.done);
  expect(stage.clock.monotonicMs() - grantedMs).toBeLessThan(10_000);
  expect(other.connections()).toBe(0);
});

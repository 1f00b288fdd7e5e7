/** Real replicas, gates and keepers behind one address. One replica is ill in each way that spares the other. */
import { afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { runKeeper } from "../../../src/gate/keeping/keeper.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { EXIT } from "../../../src/shared/names.ts";
import { type Certificate, selfSigned } from "../gate/certificates.ts";
import type { Link } from "./memory-api.ts";
import { openReplicaPair, POD, type ReplicaPair, TTL_MS } from "./replica-pair.ts";

let certificate: Certificate;
let pair: ReplicaPair;
beforeAll(() => {
  certificate = selfSigned();
});
beforeEach(async () => {
  pair = await openReplicaPair(certificate);
});
afterEach(() => pair.close());

/** Runs the keeper of a pod that holds. */
function keep(): Promise<number> {
  const { stage, grant } = pair;
  grant(POD.name, 41, { confirmed: true });
  stage.hold({ ttlMs: TTL_MS, deadline: stage.clock.monotonicMs() + TTL_MS });
  return runKeeper(stage.context, stage.termination);
}

const ILLNESSES: [string, (link: Link) => void][] = [
  [
    "is cut off from the API server",
    (link) => {
      link.isCut = true;
    },
  ],
  [
    "has lost its rights",
    (link) => {
      link.refusal = new KonductorError("Forbidden", "cannot update leases/status");
    },
  ],
  [
    "has a token that is refused",
    (link) => {
      link.refusal = new KonductorError("Unauthenticated", "the token has expired");
    },
  ],
];

describe.each(ILLNESSES)("a replica that %s", (_what, fallsIll) => {
  test("loses its keeper to the other replica, which renews the hold, so that the pod is not fenced", async () => {
    const { stage, ill, other, hold, turnUntil } = pair;
    pair.meetIllFirst(6);
    const exit = keep();
    await turnUntil(() => hold()?.renewals === 1, TTL_MS);
    expect(ill.connections()).toBe(1);
    fallsIll(ill);
    await turnUntil(() => (hold()?.renewals ?? 0) >= 3, 3 * TTL_MS);
    expect(hold()?.renewals).toBe(3);
    expect(stage.stored()?.state).toBe("held");
    // The keeper met the ill replica once per connection, and then no more.
    expect([ill.connections(), other.connections()]).toEqual([6, 1]);
    expect(ill.readiness.problem()).toBeUndefined();
    stage.terminate();
    expect(await exit).toBe(EXIT.done);
  });

  test("loses its waiting gate to the other replica, from which the gate learns of its grant and confirms it", async () => {
    const { ill, hold, turnUntil } = pair;
    pair.meetIllFirst(3);
    const code = await pair.waitAtGate();
    expect(ill.connections()).toBe(1);
    fallsIll(ill);
    await turnUntil(() => false, 2_000);
    pair.grant(POD.name, 42);
    await turnUntil(() => code() !== undefined, 60_000, 50);
    expect(code()).toBe(EXIT.done);
    expect(hold()).toMatchObject({ token: 42, confirmed: true });
  });
});

test("a 4 s outage of the API server for both replicas ends no hold of 15s, and makes no replica unready", async () => {
  const { stage, ill, other, hold, turnUntil } = pair;
  const exit = keep();
  // The outage begins just before a renewal is due, which is the worst time.
  await turnUntil(() => false, TTL_MS / 3 - 100);
  for (const each of [ill, other]) each.isCut = true;
  await turnUntil(() => false, 4_000);
  for (const each of [ill, other]) {
    expect(each.readiness.problem()).toBeUndefined();
    each.isCut = false;
  }
  await turnUntil(() => hold()?.renewals === 1, 1_000);
  expect([hold()?.renewals, stage.stored()?.state]).toEqual([1, "held"]);
  stage.terminate();
  expect(await exit).toBe(EXIT.done);
});

/** A forced release ends the hold that its user meant. */
import { expect, test } from "vitest";
import type { ClientContext } from "../../../src/client/client-context.ts";
import { forceRelease } from "../../../src/client/force-release.ts";
import type { KubeClient } from "../../../src/kube/api.ts";
import { parseLease } from "../../../src/lease/codec.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { record } from "../../../src/shared/json.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { scriptedClient, scriptedWatches } from "./scripted-client.ts";

const klease = (resourceVersion: string, hold: object) => ({
  metadata: { namespace: "ns", name: "nightly", uid: "u", resourceVersion },
  spec: { ttl: "1m" },
  status: hold,
});
const heldUnder = (fencingToken: number) => ({
  ...{ phase: "Held", holder: `run-${fencingToken}`, fencingToken },
  holderRef: { kind: "LeaseRequest", name: `r-${fencingToken}`, uid: `uid-${fencingToken}` },
});

/** A forced release of a klease that somebody has changed to `then`, just before the order came. */
async function releaseWhile(then: object, token?: number) {
  const clock = turnedClock();
  let stored = klease("1", heldUnder(41));
  const ended: unknown[] = [];
  const client = scriptedClient({
    ...scriptedWatches(),
    get: (async () => parseLease(stored)) as KubeClient["get"],
    patch: (async (_resource: unknown, _ref: unknown, patch: unknown) => {
      if (stored.metadata.resourceVersion === "1") stored = klease("2", then);
      if (record(record(patch)["metadata"])["resourceVersion"] !== "2")
        throw new KonductorError("Conflict", "the object has been modified");
      ended.push(parseLease(stored).status.hold?.token);
      stored = klease("3", { phase: "Available", fencingToken: 41 });
      return parseLease(stored);
    }) as KubeClient["patch"],
  });
  const context = { client, namespace: "ns", clock, random: () => 0, server: { observe() {} } };
  const releasing = forceRelease(context as unknown as ClientContext, { lease: "nightly", now: true, token });
  const answer = releasing.then(
    ({ state }) => state,
    (error: unknown) => error,
  );
  await clock.turn(1_000);
  return { answer: await answer, ended };
}

test("of a hold that is renewed meanwhile is tried again", async () => {
  expect(await releaseWhile(heldUnder(41))).toEqual({ answer: "over", ended: [41] });
});

test.each([
  ["another", heldUnder(42), /token 41 is over, and nothing was changed: it is held by run-42.* token 42/],
  ["nobody", { phase: "Available" }, /token 41 is over, and nothing was changed: nobody holds it/],
])("of a hold that %s has followed meanwhile changes nothing", async (_, then, message) => {
  const { answer, ended } = await releaseWhile(then);
  expect({ answer, ended }).toMatchObject({ answer: { code: "Conflict" }, ended: [] });
  expect(String(answer)).toMatch(message);
});

test("of a token that is not the holder's changes nothing", async () => {
  expect(await releaseWhile(heldUnder(41), 40)).toMatchObject({ answer: { code: "Conflict" }, ended: [] });
});

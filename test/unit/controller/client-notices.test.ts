/** A client has no object but its LeaseRequest, and is told there. */
import { expect, test } from "vitest";
import { aRequest, NOW_MS } from "../lease/samples.ts";
import { stage, waiter } from "./staged-notices.ts";

test("a client is told on its LeaseRequest: why it waits, and its grant", async () => {
  const { clock, told, hold, begin } = stage(aRequest({ name: "c" }));
  const end = begin();
  await clock.turn(15_000);
  hold({ holder: "c", token: 42, acquiredMs: NOW_MS + 15_000 }, "uid-of-c");
  await clock.turn(1_000);
  const object = { apiVersion: "konductor.io/v1", kind: "LeaseRequest", namespace: "ns", name: "c" };
  expect(told).toMatchObject([
    { object: { ...object, uid: "uid-of-c" }, reason: "Waiting" },
    { object, reason: "Granted", message: "granted klease nightly after 15s, token 42" },
  ]);
  await end();
});

test("a crowd of clients does not keep a pod of its namespace from being told", async () => {
  const crowd = Array.from({ length: 1_000 }, (_, index) =>
    aRequest({ name: `c-${index}`, uid: `uid-of-c-${index}` }),
  );
  const pod = waiter("p", { spec: { requestedAtMs: NOW_MS + 5_000 } });
  const { clock, told, begin } = stage(...crowd, pod);
  const end = begin();
  await clock.turn(25_000);
  expect(told.find(({ object }) => object.kind === "Pod")?.afterMs).toBeLessThan(22_000);
  expect(told.filter(({ object }) => object.kind === "LeaseRequest")).not.toEqual([]);
  await end();
});

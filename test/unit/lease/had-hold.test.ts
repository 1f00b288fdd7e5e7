/** Whether a request has had its hold is one rule, which everybody uses. */
import { glob, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { decide } from "../../../src/lease/decide.ts";
import { wasGranted } from "../../../src/lease/order.ts";
import type { Lease, LeaseRequest } from "../../../src/lease/types.ts";
import { aHold, aLease, aRequest, NOW_MS, situationOf } from "./samples.ts";

const ROOT = join(import.meta.dirname, "../../..");
const POD = { kind: "Pod", name: "run-1", uid: "pod-1" } as const;
const PUT_BACK_MS = aHold().acquiredMs;

test.each<[string, boolean, LeaseRequest, Lease | undefined]>([
  ["a request that waits", false, aRequest(), aLease()],
  ["a request without a Lease", false, aRequest(), undefined],
  ["the request that was granted last", true, aRequest(), aLease({ lastRequest: "uid-of-request" })],
  [
    "a request that was put back for its pod's hold",
    true,
    aRequest({ spec: { ref: POD, requestedAtMs: PUT_BACK_MS } }),
    aLease({ hold: aHold(), lastRequest: "other" }),
  ],
  [
    "a request that the holder's pod has made since",
    false,
    aRequest({ spec: { ref: POD, requestedAtMs: NOW_MS } }),
    aLease({ hold: aHold(), lastRequest: "other" }),
  ],
  [
    "a request of another pod, made in the same moment",
    false,
    aRequest({ spec: { ref: { ...POD, uid: "pod-2" }, requestedAtMs: PUT_BACK_MS } }),
    aLease({ hold: aHold(), lastRequest: "other" }),
  ],
])("%s has had its hold: %s", (_, expected, request, lease) => {
  expect(wasGranted(request, lease)).toBe(expected);
});

test("a request that has had its hold is retired, not granted again", () => {
  const request = aRequest();
  const free = aLease({ lastToken: 41, lastRequest: request.uid });
  expect(decide(situationOf(free, { requests: [request] }))).toEqual({ do: "retire", request });
});

test("only the transitions, the codec and this rule read lastRequest", async () => {
  const files = await Array.fromAsync(glob("src/**/*.ts", { cwd: ROOT }));
  const looking = await Promise.all(
    files.map(async (path) =>
      (await readFile(join(ROOT, path), "utf8")).includes("lastRequest") ? [path] : [],
    ),
  );
  expect(looking.flat().sort()).toEqual(
    ["codec", "decide", "grant", "order", "types"].map((name) => `src/lease/${name}.ts`),
  );
});

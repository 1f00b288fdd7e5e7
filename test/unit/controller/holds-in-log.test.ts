/** What the arbiter's log says of a client's hold, and of a client that waited in vain. */
import { expect, test } from "vitest";
import { parseJson, record } from "../../../src/shared/json.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { microTime } from "../../../src/shared/times.ts";
import { aHold, NOW_MS } from "../lease/samples.ts";
import { leaseObject, requestObject } from "./objects.ts";
import { stageArbiter } from "./staged-arbiter.ts";

test("its grant, the renewal that is refused, and its end, each by the same fields", async () => {
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger({ destination: { write: (line) => void lines.push(record(parseJson(line))) } });
  const { put, lease, until, end } = stageArbiter({
    objects: {
      leases: [leaseObject({}, { renewable: false })],
      leaserequests: [requestObject("ci", "request-ci")],
    },
    logger,
  });
  await until(() => lease().status.hold !== undefined, 10_000);
  put("leaserequests", requestObject("ci", "request-ci", { renewTime: microTime(NOW_MS + 1_000) }));
  await until(() => lease().status.hold === undefined, 200_000);
  await end();
  const about = { lease: "ns/nightly", holder: "ci", token: 42, request: "ci" };
  expect(lines.filter(({ msg }) => msg !== "arbitrating")).toMatchObject([
    { ...about, reason: "Granted" },
    { ...about, reason: "NotRenewed", msg: "a client's renewal is refused" },
    { ...about, reason: "Expired" },
    { ...about, reason: "Expired", msg: "the hold of ci (token 42) ended: Expired" },
  ]);
});

test("a client whose time is over before its turn comes", async () => {
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger({ destination: { write: (line) => void lines.push(record(parseJson(line))) } });
  const { requests, until, end } = stageArbiter({
    objects: {
      leases: [
        leaseObject(
          {
            hold: aHold({
              holder: "first",
              ref: { kind: "LeaseRequest", name: "first", uid: "uid-of-first" },
            }),
          },
          { renewable: false },
        ),
      ],
      leaserequests: [
        requestObject("first", "uid-of-first", {}, { phase: "Granted", fencingToken: 41 }),
        requestObject("ci", "uid-of-ci", { waitUntil: microTime(NOW_MS + 3_000) }),
      ],
    },
    logger,
  });
  await until(() => requests().every(({ name }) => name !== "ci"), 20_000);
  await end();
  expect(lines.find(({ request }) => request === "ci")).toMatchObject({
    ...{ level: "info", lease: "ns/nightly", holder: "ci", request: "ci", reason: "TimedOut" },
    msg: expect.stringMatching(/^waited for klease nightly for \d+s in vain: its request is deleted$/),
  });
});

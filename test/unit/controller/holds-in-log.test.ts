/** What the arbiter's log says of a client's hold. */
import { expect, test } from "vitest";
import { parseJson, record } from "../../../src/shared/json.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { microTime } from "../../../src/shared/times.ts";
import { NOW_MS } from "../lease/samples.ts";
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

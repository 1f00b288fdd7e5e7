import { expect, test } from "vitest";
import { stampPause } from "../../../src/server/admission/pause-stamp.ts";

const NOW_MS = Date.parse("2026-01-01T00:10:00.400Z");
const ANNOTATION = "konductor.io/paused";
const STAMP = '{"by":"ada","since":"2026-01-01T00:10:00Z"}';
const EARLIER = '{"by":"bob","since":"2026-01-01T00:00:00Z"}';

const lease = (paused: unknown, stamp?: string) => ({
  metadata: {
    name: "report",
    annotations: { note: "mine", ...(stamp !== undefined && { [ANNOTATION]: stamp }) },
  },
  spec: { ttl: "1m", ...(paused !== undefined && { paused }) },
});

test.each<[string, object, object | undefined, object]>([
  ["a Lease is paused: who did it, and when", lease(true), lease(undefined), lease(true, STAMP)],
  ["it is created paused", lease(true), undefined, lease(true, STAMP)],
  ["a stamp of the writer's own does not count", lease(true, EARLIER), lease(false), lease(true, STAMP)],
  ["nor in a Lease that is created", lease(true, EARLIER), undefined, lease(true, STAMP)],
  ["nor in one that is not paused", lease(false, EARLIER), lease(false), lease(false)],
  ["what stays paused keeps its stamp", lease(true, EARLIER), lease(true, EARLIER), lease(true, EARLIER)],
  ["even if it is replaced without it", lease(true), lease(true, EARLIER), lease(true, EARLIER)],
  ["or with another", lease(true, STAMP), lease(true, EARLIER), lease(true, EARLIER)],
  ["nobody is named whom nobody saw", lease(true, STAMP), lease(true), lease(true)],
  ["it is resumed", lease(undefined, EARLIER), lease(true, EARLIER), lease(undefined)],
  ["what is no boolean is the schema's business", lease("yes"), lease(false), lease("yes")],
])("%s", (_, sent, oldObject, stored) => {
  const found = stampPause({ ...sent }, { username: "ada", oldObject }, NOW_MS);
  expect(found).toEqual(stored);
});

/** One live look at all requests of a Lease. */
import { expect, test } from "vitest";
import { createLiveRequests } from "../../../src/controller/live-requests.ts";
import { parseLeaseRequest } from "../../../src/lease/codec.ts";
import type { LeaseRequest } from "../../../src/lease/types.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { record } from "../../../src/shared/json.ts";
import { turnedClock } from "../gate/turned-clock.ts";
import { NOW_MS } from "../lease/samples.ts";
import { fedReflector } from "./fed-reflector.ts";
import { noPods } from "./no-pods.ts";
import { requestObject } from "./objects.ts";
import { recordedClient } from "./recorded-client.ts";

const at = (object: ReturnType<typeof requestObject>, resourceVersion: string) => ({
  ...object,
  metadata: { ...object.metadata, resourceVersion },
});

test("a request without the label, which no list by label shows, still counts; one that is gone does not", async () => {
  const requestOf = (name: string) => at(requestObject(name, `uid-of-${name}`), "1");
  const [labelled, bare, gone] = [requestOf("labelled"), requestOf("bare"), requestOf("gone")];
  const { client } = recordedClient(({ what, sent }) => {
    if (what === "list leaserequests") return [at(labelled, "2")];
    if (record(sent)["name"] === "bare") return at(bare, "3");
    throw new KonductorError("NotFound", "no such request");
  });
  const requests = fedReflector<LeaseRequest>();
  const known = [labelled, bare, gone].map(parseLeaseRequest);
  for (const request of known) requests.apply(request);
  const live = createLiveRequests({ client, caches: { requests, pods: noPods }, clock: turnedClock(NOW_MS) });
  const found = await live.lookAtAll({ namespace: "ns", name: "nightly" }, known);
  expect(found.map(({ name, resourceVersion }) => `${name} ${resourceVersion}`)).toEqual([
    "labelled 2",
    "bare 3",
  ]);
  expect(known.map(({ uid }) => live.isGone(uid))).toEqual([false, false, true]);
});

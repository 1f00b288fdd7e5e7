/** What the dashboard's picture does where events cannot be read. All else is tested on a real API server. */
import { expect, test } from "vitest";
import { createPicture } from "../../../../src/cli/dashboard/picture.ts";
import type { KubeClient } from "../../../../src/kube/api.ts";
import { createServerClock } from "../../../../src/kube/server-clock.ts";
import { KonductorError } from "../../../../src/shared/errors.ts";
import { createLogger } from "../../../../src/shared/log.ts";
import { turnedClock } from "../../gate/turned-clock.ts";

test("a picture whose events cannot be read for any reason is complete without them, and says so", async () => {
  const clock = turnedClock();
  const client: KubeClient = Object.assign(Object.create(null), {
    list: () => Promise.reject(new KonductorError("Unreachable", "the API server hangs")),
  });
  const picture = createPicture({
    ...{ client, namespace: "ns", clock, server: createServerClock(clock) },
    logger: createLogger({ level: "silent" }),
    hidden: { leases: "not here", requests: "not here" },
    sentenceOf: (error) => (error instanceof Error ? error.message : ""),
  });
  const stop = new AbortController();
  picture.start(stop.signal);
  await picture.synced;
  expect(picture.troubles()).toContainEqual([
    "events",
    "Events of ended holds cannot be read for now, so that older holds may be missing: the API server hangs",
  ]);
  stop.abort();
});

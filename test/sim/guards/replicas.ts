/** Guards against faults of a replica, of its clock or of its API server. */
import type { KubeClient } from "../../../src/kube/api.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import type { Guard } from "./guard.ts";
import { event, pod, until } from "./tale.ts";

/** Takes every 404 as proof that the object is gone. */
function believingAny404(client: KubeClient): KubeClient {
  return new Proxy(client, {
    get(target, verb: keyof KubeClient) {
      const call: unknown = Reflect.get(target, verb);
      if (typeof call !== "function" || verb === "watch") return call;
      return async (...args: unknown[]) => {
        try {
          return await call(...args);
        } catch (error) {
          const isMisled = error instanceof KonductorError && error.message.endsWith("(HTTP 404)");
          throw isMisled ? new KonductorError("NotFound", error.message, { cause: error }) : error;
        }
      };
    },
  });
}

const TWO_HOURS_AHEAD = 16;
/** A variant of trouble in which all calls of the leader are refused. */
const ALL_CALLS = 12;

export const REPLICAS: Record<string, Guard> = {
  "silence is measured by a monotonic clock": {
    rule: "healthy",
    tale: [
      pod(500, "first"),
      event(6_000, "setReplicaClock", { kind: TWO_HOURS_AHEAD }),
      pod(7_000, "second", { node: 1 }),
    ],
    off: { measuresByTimeOfDay: true },
  },
  "replicas go by the API server's time of day": {
    rule: "healthy",
    tale: [
      pod(500, "first", { annotations: { "max-hold": "60s" }, worksForMs: 30_000 }),
      event(6_000, "setReplicaClock", { kind: TWO_HOURS_AHEAD }),
      until(30_000),
    ],
    off: { goesByItsOwnTime: true },
  },
  "only a Status says that an object is gone": {
    rule: "healthy",
    // A keeper that is told so asks no other replica.
    tale: [
      pod(500, "first", { selfFencing: false }),
      event(5_000, "misleadReplica", { kind: ALL_CALLS, ms: 40_000 }),
      until(45_000),
    ],
    replicas: 2,
    off: { client: believingAny404 },
  },
  "a replica that cannot work is left": {
    rule: "healthy",
    // All calls of the leader are refused, which may be the replica that renews the hold.
    tale: [pod(500, "first"), event(5_000, "trouble", { kind: ALL_CALLS, ms: 40_000 }), until(45_000)],
    replicas: 2,
    off: { staysConnected: true },
  },
};

import type { KubeClient } from "../../kube/api.ts";
import type { EventRecorder } from "../../kube/events.ts";
import type { Reflector } from "../../kube/reflector.ts";
import type { PodView } from "../../lease/pod.ts";
import type { Lease, LeaseRequest } from "../../lease/types.ts";
import type { LeaseReporter } from "../../objects/lease-reporter.ts";
import type { Clock } from "../../shared/clock.ts";
import type { Logger } from "../../shared/log.ts";
import type { Authenticate, VerifySignature } from "../identity/identity.ts";
import type { LeaseTurns } from "./hold/lease-turns.ts";
import type { WrittenRenewals } from "./hold/written-renewals.ts";

/** The addresses and the CA by which konductor is reached now. */
export interface Trust {
  /** PEM bundle. */
  ca: string;
  urls: readonly string[];
}

/** What the gate API uses of a cache. Requests are indexed by their Lease. */
export type Cache<T> = Pick<Reflector<T>, "apply" | "subscribe" | "lastEventMonotonicMs"> & {
  store: Pick<Reflector<T>["store"], "get" | "byIndex">;
};

/** What the gate API is given, and what it adds. */
export interface GateApiContext extends GateApiOptions {
  turns: LeaseTurns;
  renewals: WrittenRenewals;
  /** Whether the caller has hung up; set where that makes its request void. */
  hasHungUp?(): boolean;
}

/** Everything that the gate API is given. */
export interface GateApiOptions {
  client: KubeClient;
  caches: { leases: Cache<Lease>; requests: Cache<LeaseRequest>; pods: Cache<PodView> };
  events: Pick<EventRecorder, "record">;
  reporter: Pick<LeaseReporter, "report">;
  authenticate: Authenticate;
  /** For the word of a keeper whose pod is gone. */
  verifySignature: VerifySignature;
  trust(): Trust;
  clock: Clock;
  logger: Logger;
  /** Where konductor itself runs; its account creates the pods' requests. */
  systemNamespace: string;
  /** Whether a Lease that a pod names is created when there is none. */
  createMissingLeases: boolean;
}

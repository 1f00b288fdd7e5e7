import type { Client as GateClient } from "../../../src/gate/wire/client.ts";
import type { KubeClient } from "../../../src/kube/api.ts";
import type { Clock } from "../../../src/shared/clock.ts";
import type { Json } from "../api/rules.ts";
import type { Replacement } from "./replacement.ts";

/** The client and clock of a process that asks by a lease client. */
export interface WorkerHas {
  client: KubeClient;
  clock: Clock;
}

/** What replaces a guard. */
export interface Switch {
  /** Changes konductor's client. */
  client?(client: KubeClient): KubeClient;
  gate?(client: GateClient): GateClient;
  worker?(has: WorkerHas): WorkerHas;
  /** Changes the body of a gate API call before a replica reads it. */
  heard?(path: string, body: Json): Json;
  /** Replicas measure durations by their time of day. */
  measuresByTimeOfDay?: boolean;
  /** Replicas go by their machine's time of day. */
  goesByItsOwnTime?: boolean;
  /** No connection is closed by either end, whatever was said on it. */
  staysConnected?: boolean;
  /** Kubelets ignore the fences of keepers. */
  ignoresFences?: boolean;
  /** Replaced modules, for guards that no client, clock or message passes. */
  modules?: readonly Replacement[];
}

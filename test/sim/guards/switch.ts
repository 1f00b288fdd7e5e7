import type { Client as GateClient } from "../../../src/gate/wire/client.ts";
import type { KubeClient } from "../../../src/kube/api.ts";
import type { Clock } from "../../../src/shared/clock.ts";
import type { Json } from "../api/rules.ts";
import type { Replacement } from "./replacement.ts";

/** What a process has that asks by a lease client. */
export interface WorkerHas {
  client: KubeClient;
  clock: Clock;
}

/** What is done in the place of a guard. */
export interface Switch {
  /** konductor's client. */
  client?(client: KubeClient): KubeClient;
  gate?(client: GateClient): GateClient;
  worker?(has: WorkerHas): WorkerHas;
  /** What a replica hears of a call of the gate API: its body. */
  heard?(path: string, body: Json): Json;
  /** Replicas measure durations by their time of day. */
  measuresByTimeOfDay?: boolean;
  /** Replicas go by their machine's time of day. */
  goesByItsOwnTime?: boolean;
  /** No connection is closed by either end, whatever was said on it. */
  staysConnected?: boolean;
  /** Kubelets do nothing when a keeper fences. */
  ignoresFences?: boolean;
  /** For what has no client, clock or message in its way. */
  modules?: readonly Replacement[];
}

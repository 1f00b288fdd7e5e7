/**
 * All events of stories. Each event makes sense or does nothing, whatever has happened to its targets, so that every story can be shortened.
 * Events outside of docs/guarantees.md are left out: kubelets that are dead while containers run, keepers that crash while cut off, machines
 * and programs that freeze at work, and a wrong forced release while nobody can see the holder.
 */
import type { Random } from "../random.ts";
import type { Kind } from "./event.ts";
import { NODES } from "./nodes.ts";
import { REPLICAS } from "./replicas.ts";
import { USERS } from "./users.ts";
import { WORKERS } from "./workers.ts";

export const KINDS: Readonly<Record<string, Kind>> = { ...REPLICAS, ...NODES, ...WORKERS, ...USERS };

export const drawMs = (random: Random) =>
  random.pick([500, 2_000, 5_000, 12_000, 25_000, 45_000]) + random.between(0, 999);

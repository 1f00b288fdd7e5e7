/**
 * What may happen in a story. Each event makes sense, or does nothing, whatever has become of those whom it is about, so that every story
 * can be shortened. What docs/guarantees.md does not cover is left out: kubelets that are dead while containers run, keepers that crash
 * while cut off, machines and programs that are frozen while they work; and an admin's word against the truth, given while nobody can see
 * the holder.
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

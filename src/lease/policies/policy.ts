/** What a rule of the Lease's owner looks at, and what it answers. */
import type { Lease } from "../types.ts";

/** The names of the rules by which a free Lease is granted to nobody. */
export const HOLD_BACK_RULES = ["Paused", "MinInterval"] as const;
export type HoldBackRule = (typeof HOLD_BACK_RULES)[number];

/** The part of a Lease that rules look at. */
export type Ruled = Pick<Lease, "name" | "spec" | "status" | "pause">;

/** Why a Lease that nobody holds is not granted now, although somebody waits. */
export interface HeldBack {
  rule: HoldBackRule;
  /** Goes on after "klease NAME is". What the owner wrote in it is quoted. */
  why: string;
  /** By the API server's time; undefined: until somebody changes the Lease. */
  untilMs?: number;
  /** The command that ends it; undefined: time does. */
  undo?: string;
}

/** One rule. Pure. Undefined: it holds nothing back. */
export type HoldBackPolicy = (lease: Ruled, nowMs: number) => HeldBack | undefined;

/**
 * What `koncli dashboard` and its page say to each other. Both sides are built from these types. Times are in milliseconds since the epoch, by the
 * API server's clock. Whatever a tenant may have written (names, messages) is text, and never markup.
 */
import type { EndReason } from "../../lease/types.ts";

/** Paths of the local server. Every one below `/api/` needs the session's token as a bearer token. */
export const PATHS = {
  /** GET: {@link PageMessage}s, a JSON array of them on each line, for as long as the page is open. */
  stream: "/api/stream",
  /** GET with `namespace`, `lease` and `token`: {@link StoryMessage}s of one hold, likewise, for as long as its story is open. */
  story: "/api/story",
  /** GET with `namespace` and `lease`: the {@link ReleasePreview} of the present hold. */
  preview: "/api/release-preview",
  /** POST a {@link ReleaseOrder}: the {@link ReleaseResult}. */
  release: "/api/release",
} as const;

/** The page's own message when a call fails: one sentence, with HTTP status 4xx or 5xx. */
export interface Refusal {
  message: string;
}

export type PageMessage =
  /** The first one, and after each break of the stream: what came before it is void. */
  | { type: "hello"; user: string; server: string; namespace: string | undefined; version: string }
  /** The lists are complete. */
  | { type: "synced" }
  /** A Lease as it stands now. */
  | { type: "lease"; lease: LeaseRow }
  | { type: "gone"; key: string }
  /** The API server's time; at least every 15 s, so that a page notices a dead connection. */
  | { type: "time"; nowMs: number }
  /** Something cannot be seen at present, in one sentence; an empty one: it can be seen again. */
  | { type: "trouble"; about: "leases" | "requests" | "events"; message: string };

/** One row of the picture. */
export interface LeaseRow {
  /** `namespace/name`. */
  key: string;
  namespace: string;
  name: string;
  uid: string;
  /** As in the column of kubectl: Available, Held, Expired. */
  phase: string;
  ttlMs: number;
  hold: PresentHold | undefined;
  /** The holds that are known to have ended, the latest first: those of the status, and those that events tell of. */
  past: PastBar[];
  /** How many wait in all. */
  waiting: number;
  /** The first of them, in the queue's order. */
  waiters: Waiter[];
  conditions: RowCondition[];
}

export interface PresentHold {
  holder: string;
  kind: "Pod" | "Job" | "LeaseRequest";
  token: number;
  acquiredMs: number;
  renewedMs: number;
  expiresMs: number;
  ttlMs: number;
  /** Whether renewals of it are to be expected. */
  renews: boolean;
  confirmed: boolean;
  releasing: boolean;
  expired: boolean;
  unreachable: boolean;
  revoked: string | undefined;
}

export interface PastBar {
  holder: string;
  token: number;
  acquiredMs: number;
  endedMs: number;
  reason: EndReason;
  /** Who ended it, where an admin did. */
  by: string | undefined;
}

export interface Waiter {
  /** From 1. */
  place: number;
  holder: string;
  kind: "Pod" | "Job" | "LeaseRequest";
  sinceMs: number;
  priority: number;
  /** When its turn will probably come, from now; undefined: unknown. */
  turn: { earliestMs: number; latestMs: number | undefined } | undefined;
}

export interface RowCondition {
  type: string;
  status: "True" | "False";
  reason: string;
  message: string;
  sinceMs: number;
}

/** Each replaces the one before. An array without any says that the connection is alive. */
export type StoryMessage =
  | { type: "story"; story: HoldStory }
  /** There is nothing to be told any more, or not yet: why, in one sentence. */
  | { type: "untold"; message: string };

/** What is known of one hold. */
export interface HoldStory {
  holder: string;
  token: number;
  /** What happened, the earliest first. */
  events: StoryEvent[];
  conditions: RowCondition[];
  pods: StoryPod[];
  /**
   * Of the present hold: why it holds, what would end it, and what the user can do, as `koncli lease why` says. Of any: what the user may not
   * read, and what is too much to be read.
   */
  sentences: string[];
}

export interface StoryEvent {
  atMs: number;
  type: "Normal" | "Warning";
  reason: string;
  message: string;
  /** `Lease/nightly`, `Pod/report-1`. */
  about: string;
}

export interface StoryPod {
  name: string;
  phase: string;
  node: string | undefined;
  /** One line for each container: its name and how it stands. */
  containers: { name: string; state: string }[];
}

/** What a force release would do, told before it is asked for. */
export interface ReleasePreview {
  holder: string;
  token: number;
  /** Whether the user may do it, by the API server's word. */
  allowed: boolean;
  sentences: string[];
}

export interface ReleaseOrder {
  namespace: string;
  lease: string;
  /** The hold that the user saw: no later one is ended. */
  token: number;
  /** Without waiting for proof that the holder has ended. */
  now: boolean;
}

export interface ReleaseResult {
  message: string;
}

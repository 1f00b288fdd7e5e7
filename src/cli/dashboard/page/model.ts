/** What the page knows, from the messages of the server. */
import type { LeaseRow, PageMessage } from "../wire.ts";

export type Hello = Extract<PageMessage, { type: "hello" }>;
export type Trouble = Extract<PageMessage, { type: "trouble" }>;

/** A row, and when it was told, by the page's own clock: forecasts count from then. */
export interface SeenRow {
  readonly lease: LeaseRow;
  readonly atMs: number;
}

export interface Model {
  /** Takes messages in, which came at `atMs` by the page's own clock. */
  apply(messages: readonly PageMessage[], atMs: number): void;
  /** The rows, by their keys. While the server tells them anew, the last ones stay. */
  rows(): ReadonlyMap<string, SeenRow>;
  /** The API server's time at `atMs` by the page's own clock. */
  nowMs(atMs: number): number;
  hello(): Hello | undefined;
  /** Whether the rows have been complete once. */
  isSynced(): boolean;
  /** What cannot be seen at present, in sentences. */
  troubles(): readonly string[];
}

/** A model that knows nothing yet. */
export function createModel(): Model {
  let shown = new Map<string, SeenRow>();
  /** Where rows are told anew, those that have been told until now. */
  let coming: Map<string, SeenRow> | undefined;
  let offsetMs = 0;
  let hello: Hello | undefined;
  let isSynced = false;
  let troubles = new Map<Trouble["about"], string>();

  function take(message: PageMessage, atMs: number): void {
    const rows = coming ?? shown;
    switch (message.type) {
      case "hello":
        hello = message;
        troubles = new Map();
        // Rows of before stay on the page until the new ones are complete, so that a reconnect is no flicker.
        if (isSynced) coming = new Map();
        else shown = new Map();
        return;
      case "synced":
        if (coming) shown = coming;
        coming = undefined;
        isSynced = true;
        return;
      case "lease":
        rows.set(message.lease.key, { lease: message.lease, atMs });
        return;
      case "gone":
        rows.delete(message.key);
        return;
      case "time":
        offsetMs = message.nowMs - atMs;
        return;
      case "trouble":
        if (message.message === "") troubles.delete(message.about);
        else troubles.set(message.about, message.message);
    }
  }

  return {
    apply(messages, atMs) {
      for (const message of messages) take(message, atMs);
    },
    rows: () => shown,
    nowMs: (atMs) => atMs + offsetMs,
    hello: () => hello,
    isSynced: () => isSynced,
    troubles: () => [...troubles.values()],
  };
}

/**
 * What one page is told, a line at a time, for as long as it is open. A page that reads slowly is told later and less often, never of a state that
 * is outdated: only the keys of rows are kept for it, and rows are taken when there is room. A page that does not read at all is given up; it comes
 * back on a new connection.
 */
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../../shared/clock.ts";
import { begin } from "./answers.ts";
import type { Picture } from "./picture.ts";
import type { PageMessage } from "./wire.ts";

export interface PageStreamOptions {
  response: ServerResponse;
  picture: Picture;
  hello: PageMessage & { type: "hello" };
  clock: Clock;
  /** The API server's time of day. */
  nowMs: () => number;
}

/** Changes that come within this time are sent together. */
const GATHER_MS = 100;
/** Rows that are computed in one go: about 20 ms, in which koncli does nothing else. */
const ROWS_AT_ONCE = 20;
const TIME_EVERY_MS = 10_000;
/** A page that has read nothing for this long is gone or hangs. */
const STALLED_MS = 30_000;

/** Begins to tell a page, on a response that nothing was sent on yet. Ends with the connection. */
export function openPageStream({ response, picture, hello, clock, nowMs }: PageStreamOptions): void {
  const waiting: string[] = [];
  const keys = new Set<string>();
  let isListed = false;
  let isSynced = false;
  let isSending = false;
  let isPlanned = false;
  let giveUp = (): void => undefined;

  function say(...messages: PageMessage[]): void {
    for (const message of messages) waiting.push(JSON.stringify(message));
    plan();
  }

  function plan(delayMs = GATHER_MS): void {
    if (isPlanned || isSending || response.destroyed) return;
    isPlanned = true;
    clock.after(delayMs, () => {
      isPlanned = false;
      void send();
    });
  }

  /** Sends until nothing is left to be told, or until the page has to read first. */
  async function send(): Promise<void> {
    if (isSending) return;
    isSending = true;
    while (!response.destroyed && hasNews()) {
      if (response.write(`[${nextMessages().join(",")}]\n`)) await nextTurn();
      else await drained();
    }
    isSending = false;
  }

  function hasNews(): boolean {
    return waiting.length > 0 || keys.size > 0 || (isListed && !isSynced);
  }

  function nextMessages(): string[] {
    const messages = waiting.splice(0);
    for (const key of [...keys].slice(0, ROWS_AT_ONCE)) {
      keys.delete(key);
      const row = picture.rowJson(key);
      messages.push(
        row === undefined ? JSON.stringify({ type: "gone", key }) : `{"type":"lease","lease":${row}}`,
      );
    }
    if (isListed && !isSynced && keys.size === 0) {
      isSynced = true;
      messages.push(JSON.stringify({ type: "synced" } satisfies PageMessage));
    }
    return messages;
  }

  async function drained(): Promise<void> {
    giveUp = clock.after(STALLED_MS, () => response.destroy());
    const heard = new AbortController();
    const { signal } = heard;
    await Promise.race([once(response, "drain", { signal }), once(response, "close", { signal })]).catch(
      () => undefined, // the connection broke
    );
    heard.abort();
    giveUp();
  }

  begin(response, 200, { "content-type": "application/x-ndjson; charset=utf-8" });
  response.flushHeaders();
  response.socket?.setNoDelay(true);
  const unsubscribe = picture.subscribe({
    changed(key) {
      keys.add(key);
      plan();
    },
    trouble: (about, message) => say({ type: "trouble", about, message }),
  });
  let stopTelling = (): void => undefined;
  const tellTime = (): void => {
    say({ type: "time", nowMs: nowMs() });
    stopTelling = clock.after(TIME_EVERY_MS, tellTime);
  };
  response.once("close", () => {
    unsubscribe();
    stopTelling();
    giveUp();
  });
  say(hello, ...picture.troubles().map(([about, message]) => ({ type: "trouble", about, message }) as const));
  tellTime();
  for (const key of picture.keys()) keys.add(key);
  void send();
  picture.synced.then(
    () => {
      isListed = true;
      void send();
    },
    () => undefined,
  );
}

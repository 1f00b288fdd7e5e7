/** What one page is told of rows. Only the keys of outdated rows are kept for it, and rows are taken when there is room. */
import type { ServerResponse } from "node:http";
import type { Clock } from "../../shared/clock.ts";
import { openLines } from "./lines.ts";
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

const GATHER_MS = 100;
/** Rows that are computed in one go: about 20 ms, in which koncli does nothing else. */
const ROWS_AT_ONCE = 20;

/** Begins to tell a page, on a response that nothing was sent on yet. Ends with the connection. */
export function openPageStream({ response, picture, hello, clock, nowMs }: PageStreamOptions): void {
  const waiting: string[] = [];
  const keys = new Set(picture.keys());
  let isListed = false;
  let isSynced = false;

  function say(...messages: PageMessage[]): void {
    for (const message of messages) waiting.push(JSON.stringify(message));
  }

  function nextLine(): string | undefined {
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
    return messages.length === 0 ? undefined : `[${messages.join(",")}]`;
  }

  say(hello, ...picture.troubles().map(([about, message]) => ({ type: "trouble", about, message }) as const));
  const lines = openLines({
    ...{ response, clock, gatherMs: GATHER_MS, next: nextLine },
    onBeat: () => say({ type: "time", nowMs: nowMs() }),
    onEnd: () => unsubscribe(),
  });
  const unsubscribe = picture.subscribe({
    changed(key) {
      keys.add(key);
      lines.wake();
    },
    trouble(about, message) {
      say({ type: "trouble", about, message });
      lines.wake();
    },
  });
  lines.flush();
  picture.synced.then(
    () => {
      isListed = true;
      lines.flush();
    },
    () => undefined,
  );
}

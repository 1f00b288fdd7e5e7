/**
 * An endless answer of lines. Whoever reads slowly is told later and less often, never of a state that is outdated: a line is made when there is room
 * for it. Whoever does not read at all is given up, and comes back on a new connection.
 */
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Clock } from "../../shared/clock.ts";
import { begin } from "./answers.ts";

export interface LinesOptions {
  /** Nothing was sent on it yet. */
  response: ServerResponse;
  clock: Clock;
  /** Changes that come within this time are told together. */
  gatherMs: number;
  /** The next line; undefined: there is no news. Not called after the connection has ended. */
  next(): string | undefined;
  /** Called at once and every 10 s: {@link next} has to say something then, so that a dead connection is noticed. */
  onBeat(): void;
  /** The connection has ended. */
  onEnd(): void;
}

export interface Lines {
  /** There is news. */
  wake(): void;
  /** There is news that does not wait for more. */
  flush(): void;
}

const BEAT_MS = 10_000;
/** A reader that has read nothing for this long is gone or hangs. */
const STALLED_MS = 30_000;

/** Begins the answer. Ends with the connection. */
export function openLines({ response, clock, gatherMs, next, onBeat, onEnd }: LinesOptions): Lines {
  let isSending = false;
  let isPlanned = false;
  let giveUp = (): void => undefined;
  let stopBeating = (): void => undefined;

  function wake(): void {
    if (isPlanned || isSending || response.destroyed) return;
    isPlanned = true;
    clock.after(gatherMs, () => {
      isPlanned = false;
      void send();
    });
  }

  /** Sends until nothing is left to be told, or until what was sent has to be read first. */
  async function send(): Promise<void> {
    if (isSending) return;
    isSending = true;
    while (!response.destroyed) {
      const line = next();
      if (line === undefined) break;
      if (response.write(`${line}\n`)) await nextTurn();
      else await drained();
    }
    isSending = false;
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

  function beat(): void {
    onBeat();
    wake();
    stopBeating = clock.after(BEAT_MS, beat);
  }

  begin(response, 200, { "content-type": "application/x-ndjson; charset=utf-8" });
  response.flushHeaders();
  response.socket?.setNoDelay(true);
  response.once("close", () => {
    stopBeating();
    giveUp();
    onEnd();
  });
  beat();
  return { wake, flush: () => void send() };
}

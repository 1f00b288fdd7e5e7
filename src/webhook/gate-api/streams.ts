import { Refusal } from "../refusal.ts";
import type { LineStream } from "./line-stream.ts";

export interface OpenStream {
  stream: LineStream;
  /** Ends it with the request to reconnect elsewhere. */
  sendAway(): void;
}

/** The streams that are open at this replica, at most one per pod. */
export interface Streams {
  /** Refuses with TooManyRequests where another stream would be one too many. */
  admit(uid: string): void;
  /** A stream of the same pod that is still open is dead: its gate has a new one. */
  add(uid: string, open: OpenStream): void;
  /** Sends every gate away, and from now on each that comes. */
  drain(): void;
  isDraining(): boolean;
}

export function createStreams(limit: number): Streams {
  const byPod = new Map<string, OpenStream>();
  let isDraining = false;
  return {
    admit(uid) {
      if (byPod.size < limit || byPod.has(uid)) return;
      throw new Refusal("TooManyRequests", `${limit} gates wait at this replica already; try again`, {
        retryAfterMs: 5_000,
      });
    },
    add(uid, open) {
      byPod.get(uid)?.stream.destroy();
      byPod.set(uid, open);
      open.stream.onClose(() => {
        if (byPod.get(uid) === open) byPod.delete(uid);
      });
      if (isDraining) open.sendAway();
    },
    drain() {
      isDraining = true;
      for (const { sendAway } of [...byPod.values()]) sendAway();
    },
    isDraining: () => isDraining,
  };
}

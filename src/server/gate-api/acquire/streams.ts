import { Refusal } from "../../refusal.ts";
import type { LineStream } from "./line-stream.ts";

/** The streams that are open at this replica, at most one per pod. */
export interface Streams {
  readonly size: number;
  /** Refuses with TooManyRequests where another stream would be one too many. */
  admit(uid: string): void;
  /** Destroys a stream of the same pod that is still open: it is dead, as its gate has a new one. */
  add(uid: string, stream: LineStream): void;
  /** From now on nobody is to wait here. */
  drain(): void;
  isDraining(): boolean;
}

export function createStreams(limit: number): Streams {
  const byPod = new Map<string, LineStream>();
  let isDraining = false;
  return {
    get size() {
      return byPod.size;
    },
    admit(uid) {
      if (byPod.size < limit || byPod.has(uid)) return;
      throw new Refusal("TooManyRequests", `${limit} gates wait at this replica already; try another`, {
        retryAfterMs: 5_000,
        elsewhere: true,
      });
    },
    add(uid, stream) {
      byPod.get(uid)?.destroy();
      byPod.set(uid, stream);
      stream.onClose(() => {
        if (byPod.get(uid) === stream) byPod.delete(uid);
      });
    },
    drain() {
      isDraining = true;
    },
    isDraining: () => isDraining,
  };
}

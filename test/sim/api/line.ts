import type { Resource } from "../../../src/kube/resources.ts";
import type { Random } from "../random.ts";
import type { Scheduler } from "../scheduler.ts";

/** What happens to one call. */
export type CallFault =
  /** It is refused before anything has happened. */
  | { is: "refused"; status: number; retryAfterSeconds?: number }
  /** A proxy in between answers 404 in its own words. */
  | { is: "misled" }
  /** Its connection breaks, or nothing is ever heard of it; `tookEffect`: the answer is what was lost. */
  | { is: "broken" | "unanswered"; tookEffect: boolean }
  /** It arrives so much later; and, if it is sent `twice`, once more then. */
  | { is: "late"; byMs: number; twice: boolean };

export interface CallInfo {
  verb: string;
  resource: Resource;
}

/** One of several API servers. Reads and writes go to the store; watches are served from a cache of its own. */
export interface ApiServer {
  /** How far its watch cache is behind. */
  lagMs: number;
  /** Watches that begin before this version are told 410. */
  oldestVersion: number;
  /** Called when `lagMs` has become less. */
  readonly pumps: Set<() => void>;
}

/** Between one process and the API servers. */
export interface Line {
  server: ApiServer;
  isCut: boolean;
  /** Resources (by plural) of which no event arrives. */
  readonly stalled: Set<string>;
  /** What may happen to a call; undefined: nothing special. */
  readonly troubles: Set<(call: CallInfo) => CallFault | undefined>;
  faultOf(call: CallInfo): CallFault | undefined;
  /** Told of every call when it is sent. */
  onCall(call: CallInfo): void;
  /** Told of an object that is about to be created, and when that was asked for. */
  onCreate(resource: Resource, name: string, sentMs: number): void;
  /** Lets what was held back go on: after `isCut`, `stalled` or the server have changed. */
  heal(): void;
  readonly pumps: Set<() => void>;
  /** The watches that there are: the connection of each may come to hang, so that nothing more is heard by it, not even its end. */
  readonly watches: Set<{ plural: string; hang(): void }>;
  latencyMs(): number;
}

export const createApiServer = (): ApiServer => ({ lagMs: 0, oldestVersion: 0, pumps: new Set() });

export function createLine(server: ApiServer, random: Random): Line {
  const pumps = new Set<() => void>();
  const troubles: Line["troubles"] = new Set();
  return {
    server,
    troubles,
    isCut: false,
    stalled: new Set(),
    faultOf(call) {
      for (const trouble of troubles) {
        const fault = trouble(call);
        if (fault) return fault;
      }
      return undefined;
    },
    onCall: () => undefined,
    onCreate: () => undefined,
    heal() {
      for (const pump of [...pumps]) pump();
    },
    pumps,
    watches: new Set(),
    latencyMs: () => random.between(1, 3),
  };
}

/** What an answer that leaves now says of the time of day: whole seconds. */
export const dateMs = ({ nowMs }: Scheduler): number => Math.floor(nowMs() / 1_000) * 1_000;

/** A step of the network: it takes its time, and comes to nothing while the line is cut. */
export function send(scheduler: Scheduler, line: Line, arrive: () => void, extraMs = 0): void {
  if (line.isCut) return;
  scheduler.after(line.latencyMs() + extraMs, () => {
    if (!line.isCut) arrive();
  });
}

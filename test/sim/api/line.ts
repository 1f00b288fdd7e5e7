import type { Resource } from "../../../src/kube/resources.ts";
import type { Random } from "../random.ts";
import type { Scheduler } from "../scheduler.ts";

/** The fate of one call. */
export type CallFault =
  /** The call is refused before it takes effect. */
  | { is: "refused"; status: number; retryAfterSeconds?: number }
  /** A proxy in between answers 404 in its own words. */
  | { is: "misled" }
  /** The connection breaks, or no answer ever comes. With `tookEffect` only the answer is lost. */
  | { is: "broken" | "unanswered"; tookEffect: boolean }
  /** The call arrives `byMs` later. With `twice` it arrives both at once and later. */
  | { is: "late"; byMs: number; twice: boolean };

export interface CallInfo {
  verb: string;
  resource: Resource;
}

/** One of several API servers. Reads and writes go to the store. Watches are served from the server's own cache. */
export interface ApiServer {
  /** How far the server's watch cache is behind. */
  lagMs: number;
  /** Watches that begin before this version are answered with 410. */
  oldestVersion: number;
  /** Functions that are called when `lagMs` has decreased. */
  readonly pumps: Set<() => void>;
}

/** The network between one process and the API servers. */
export interface Line {
  server: ApiServer;
  isCut: boolean;
  /** Resources (by plural) whose events do not arrive. */
  readonly stalled: Set<string>;
  /** Functions that may return a fault for a call. */
  readonly troubles: Set<(call: CallInfo) => CallFault | undefined>;
  faultOf(call: CallInfo): CallFault | undefined;
  /** Called for every call when it is sent. */
  onCall(call: CallInfo): void;
  /** Called when an object is about to be created, with the time when that call was sent. */
  onCreate(resource: Resource, name: string, sentMs: number): void;
  /** Delivers what was held back, after `isCut`, `stalled` or the server has changed. */
  heal(): void;
  readonly pumps: Set<() => void>;
  /** The open watches. The connection of each may hang, so that nothing more is heard on it, not even its end. */
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

/** The Date of an answer that is sent now, in whole seconds. */
export const dateMs = ({ nowMs }: Scheduler): number => Math.floor(nowMs() / 1_000) * 1_000;

/** A step through the network, which takes time, and is lost while the line is cut. */
export function send(scheduler: Scheduler, line: Line, arrive: () => void, extraMs = 0): void {
  if (line.isCut) return;
  scheduler.after(line.latencyMs() + extraMs, () => {
    if (!line.isCut) arrive();
  });
}

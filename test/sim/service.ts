/** The Service through which gates and keepers reach the replicas. It balances connections, not requests, as kube-proxy does. */
import type { Answer, Call, Transport } from "../../src/gate/wire/transport.ts";
import { KonductorError } from "../../src/shared/errors.ts";
import { record } from "../../src/shared/json.ts";
import type { Response, Routes } from "./gate-routes.ts";
import type { Switch } from "./guards/switch.ts";
import type { Process } from "./process.ts";
import type { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";

/** A replica as its callers see it. */
export interface Endpoint {
  readonly process: Process;
  /** New connections are sent to the replica, even for a while after it has died. */
  readonly isReady: boolean;
  /** No packet passes between the replica and the gates. */
  readonly isCutFromGates: boolean;
  readonly routes: Routes;
  /** Whether the replica can do what it is asked for. */
  isAble(): boolean;
}

export interface Lateness {
  byMs: number;
  twice: boolean;
}

/** What happens to a caller's packets on their way. */
export interface Way {
  isCut(): boolean;
  /** How much later the next call arrives. With `twice` it also arrives at once. */
  late: (() => Lateness | undefined) | undefined;
  /** Calls arrive, but their answers do not. */
  isDeaf: boolean;
}

export interface Caller {
  process: Process;
  token: string;
  way: Way;
}

export interface Service {
  transport(caller: Caller): Transport;
  /** Whether a replica that can be reached this way could do what it is asked for. */
  isAble(way: Way): boolean;
  /** Resets every connection to a process that has died. */
  reset(process: Process): void;
}

/** Where one TCP connection leads. */
interface Connection {
  to: Endpoint;
}

/** The fate of a call's connection: its caller's next call uses it, or no call does. */
interface Keeping {
  keep(): void;
  drop(): void;
}

interface Exchange {
  to: Endpoint;
  reset(): void;
}

export function createService(
  scheduler: Scheduler,
  random: Random,
  endpoints: () => readonly Endpoint[],
  off?: Switch,
): Service {
  const open = new Set<Exchange>();
  const latencyMs = () => random.between(1, 3);

  function exchange(
    { process, token, way }: Caller,
    to: Endpoint,
    call: Call,
    isNew: boolean,
    { keep, drop }: Keeping,
  ): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const { signal, totalMs, connectMs, silenceMs, path } = call;
    const sent = record(JSON.parse(JSON.stringify(call.body)));
    const body = off?.heard?.(path, sent) ?? sent;
    const read: Buffer[] = [];
    const hangUps: (() => void)[] = [];
    let end: { error?: unknown } | undefined;
    let isBegun = false;
    let isBroken = false;
    let lastMs = 0;
    let wake = () => {};
    let stopTimer = () => {};
    const stopTotal =
      totalMs === undefined
        ? () => {}
        : process.clock.after(totalMs, () => fail(`did not answer within ${totalMs} ms`));
    const isCut = () => way.isCut() || to.isCutFromGates;

    /** Carries something over the network. What is sent while it is cut is lost, and a connection that has lost something carries nothing more. */
    function carry(dueMs: number, arrive: () => void): void {
      isBroken ||= isCut();
      scheduler.after(dueMs - scheduler.nowMs(), () => {
        isBroken ||= isCut();
        if (!isBroken) arrive();
      });
    }
    function back(arrive: () => void): void {
      if (way.isDeaf) isBroken = true;
      lastMs = Math.max(lastMs, scheduler.nowMs() + latencyMs());
      carry(lastMs, () => process.enter(() => end || arrive()));
    }
    function finish(ended: { error?: unknown }): void {
      if (end) return;
      end = ended;
      stopTimer();
      stopTotal();
      open.delete(entry);
      signal?.removeEventListener("abort", abort);
      if ("error" in ended) {
        drop();
        for (const hangUp of hangUps) carry(scheduler.nowMs() + latencyMs(), () => to.process.enter(hangUp));
        if (!isBegun) reject(ended.error);
      }
      wake();
    }
    function fail(why: string, code?: string): void {
      const cause = Object.assign(new Error(why), code !== undefined && { code });
      finish({ error: new KonductorError("Unreachable", `konductor ${why}`, { cause }) });
    }
    function allow(ms: number, what: string, code?: string): void {
      stopTimer();
      stopTimer = process.clock.after(ms, () => fail(`${what} ${ms} ms`, code));
    }
    const heard = () => allow(silenceMs, "was silent for");
    const abort = () => finish({ error: signal?.reason });

    async function* chunks(): AsyncGenerator<Buffer> {
      try {
        for (;;) {
          for (let next = read.shift(); next; next = read.shift()) yield next;
          if (end) break;
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        }
        if ("error" in end) throw end.error;
      } finally {
        finish({ error: new Error("its reader has left") });
      }
    }
    const response: Response = {
      begin: (status, headers) =>
        back(() => {
          heard();
          isBegun = true;
          const seconds = headers.get("retry-after");
          const retryAfterMs = seconds === undefined ? undefined : Number(seconds) * 1_000;
          const leave = () => {
            if (off?.staysConnected) return;
            drop();
            finish({ error: new Error("its caller has left") });
          };
          resolve({ status, retryAfterMs, chunks: chunks(), leave });
        }),
      chunk: (text) =>
        back(() => {
          heard();
          read.push(Buffer.from(text));
          wake();
        }),
      end: ({ close }) =>
        back(() => {
          if (!close || off?.staysConnected) keep();
          finish({});
        }),
      destroy: () => back(() => fail("closed the connection", "ECONNRESET")),
    };
    const entry: Exchange = {
      to,
      reset: () => back(() => fail("closed the connection", "ECONNRESET")),
    };
    /** Lets the call arrive, even if its sender has given up. Its answer may then find nobody. */
    function arriveIn(ms: number, answer: Response): void {
      carry(scheduler.nowMs() + latencyMs() + ms, () => {
        if (to.process.isDead) back(() => fail("refused the connection", "ECONNREFUSED"));
        else
          to.process.enter(() => {
            hangUps.push(to.routes.handle({ path, token, body }, answer));
          });
      });
    }

    open.add(entry);
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
    if (end) return promise;
    if (isNew) allow(connectMs, "did not connect within", "ETIMEDOUT");
    else heard();
    // Late packets are those of an established connection.
    if (isNew && !isCut()) back(heard);
    const late = way.late?.();
    if (!late || late.twice) arriveIn(0, response);
    if (late) arriveIn(late.byMs, late.twice ? NOBODY : response);
    return promise;
  }

  return {
    transport(caller) {
      // One free connection for each address, as the agent of node:https keeps them.
      const free = new Map<string, Connection>();
      return (call) => {
        const { url } = call.address;
        const ready = endpoints().filter(({ isReady }) => isReady);
        const kept = free.get(url);
        const isKept = kept !== undefined && !kept.to.process.isDead;
        const to = isKept ? kept.to : ready.length > 0 ? random.pick(ready) : undefined;
        if (!to) {
          const cause = Object.assign(new Error("connect"), { code: "ECONNREFUSED" });
          const none = new KonductorError("Unreachable", "konductor has no endpoints", { cause });
          return Promise.reject(none);
        }
        free.delete(url);
        const connection = isKept ? kept : { to };
        return exchange(caller, to, call, !isKept, {
          keep: () => void free.set(url, connection),
          drop: () => void (free.get(url) === connection && free.delete(url)),
        });
      };
    },
    isAble: (way) =>
      !way.isCut() &&
      !way.isDeaf &&
      !way.late &&
      endpoints().some((to) => to.isReady && !to.isCutFromGates && !to.process.isPaused && to.isAble()),
    reset(process) {
      for (const { to, reset } of [...open]) if (to.process === process) reset();
    },
  };
}

const NOBODY: Response = { begin() {}, chunk() {}, end() {}, destroy() {} };

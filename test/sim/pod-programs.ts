/** The programs in a pod's injected containers: the real ones, with a file system of their own and the network of their node. */
import { randomUUID } from "node:crypto";
import { readFileSync, unlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { GateConfig } from "../../src/gate/config.ts";
import type { Context } from "../../src/gate/gate-context.ts";
import type { StoredHold } from "../../src/gate/hold-file.ts";
import { runAnnounce } from "../../src/gate/keeping/announce.ts";
import { runKeeper } from "../../src/gate/keeping/keeper.ts";
import { leaseFiles } from "../../src/gate/lease-files.ts";
import { runGate } from "../../src/gate/waiting/gate.ts";
import { type Client, createClient } from "../../src/gate/wire/client.ts";
import { createRoute } from "../../src/gate/wire/route.ts";
import { KonductorError } from "../../src/shared/errors.ts";
import { formatGateRun } from "../../src/shared/gate-run.ts";
import { defined } from "../../src/shared/json.ts";
import { tokenOf } from "./api/reviews.ts";
import type { Switch } from "./guards/switch.ts";
import type { Note } from "./history.ts";
import { LEASE_NAME, NAMESPACE, type PodWish, STOP_MS } from "./pod-object.ts";
import { createProcess, type Process } from "./process.ts";
import type { Random } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Service, Way } from "./service.ts";
import type { Node } from "./true-pod.ts";

export interface ProgramsOptions {
  scheduler: Scheduler;
  random: Random;
  service: Service;
  note: Note;
  wish: PodWish;
  uid: string;
  claim: string;
  node: Node;
  way: Way;
  /** A guard that is switched off. */
  off?: Switch | undefined;
}

export interface PodPrograms {
  gate(): { process: Process; result: Promise<{ exitCode: number; message?: string }> };
  keep(): { process: Process; result: Promise<number>; terminate(): void };
  announce(): void;
}

/** The same limits as in src/gate/run.ts. */
const CONNECT_MS = 3_000;
const SILENCE_MS = 20_000;

const BOOT = "b00f";
/** The file is removed as soon as it was written. */
const TERMINATION_LOG = join(tmpdir(), `konductor-sim-${randomUUID()}`);

export function podPrograms(options: ProgramsOptions): PodPrograms {
  const { scheduler, random, service, note, wish, uid, claim, node, way, off } = options;
  let stored: StoredHold | undefined;
  let prestopMs: number | undefined;
  let lastRun = 0;
  let answeredMs = 0;
  const config: GateConfig = {
    url: "https://10.96.0.7:443",
    host: "konductor.konductor-system.svc",
    ca: "",
    lease: LEASE_NAME,
    fencing: wish.selfFencing,
    stopMs: STOP_MS,
    rerun: wish.restartPolicy !== "Never",
    onLost: wish.annotations["on-lost"] === "continue" ? "continue" : "terminate",
    // The transport knows the caller.
    tokenPath: "/dev/null",
    stateDir: "none",
    trustDir: undefined,
    leaseDir: undefined,
    terminationLogPath: TERMINATION_LOG,
  };

  function contextOf(process: Process, change = (client: Client) => client): Context {
    const token = tokenOf({ namespace: NAMESPACE, name: wish.name, uid });
    const bootMs = process.clock.monotonicMs;
    const route = createRoute(config);
    const transport = service.transport({ process, token, way });
    const called = { lease: LEASE_NAME, transport, route, tokenPath: config.tokenPath };
    const client = change(createClient({ ...called, connectMs: CONNECT_MS, silenceMs: SILENCE_MS }));
    return {
      ...{ config, bootMs, route, clock: process.clock, random: random.next },
      log: { info: () => undefined },
      startedMs: process.clock.monotonicMs(),
      momentOf: (ms) => formatGateRun(BOOT, ms),
      // Two runs of one gate differ, however short the first is.
      newGateRun: () => {
        lastRun = Math.max(lastRun + 1, Math.round(bootMs()));
        return formatGateRun(BOOT, lastRun);
      },
      client: {
        ...client,
        announce: (...word) => said(client.announce(...word)),
        release: (...word) => said(client.release(...word)),
        async renew(hold, limits) {
          try {
            const renewed = await client.renew(hold, limits);
            answeredMs = scheduler.nowMs();
            note({ what: "renewed", claim, isAnswered: true });
            return renewed;
          } catch (error) {
            // Once one of several tries is answered, the others are given up.
            if (limits.signal?.aborted && answeredMs === scheduler.nowMs()) throw error;
            const refused = error instanceof KonductorError && error.status === 409 ? error.code : undefined;
            const isElsewhere =
              error instanceof KonductorError && refused === undefined && service.isAble(way);
            note({ what: "renewed", claim, isAnswered: false, ...defined({ refused }), isElsewhere });
            throw error;
          }
        },
      },
      holdFile: {
        read: () => stored,
        write: (hold) => {
          stored = hold;
        },
      },
      trustFile: { read: () => undefined, keep: () => undefined },
      prestopFile: {
        read: (nowMs) => (prestopMs !== undefined && prestopMs <= nowMs ? prestopMs : undefined),
        write: (beganMs) => {
          prestopMs = beganMs;
        },
        discardBefore(startedMs) {
          if (prestopMs !== undefined && prestopMs < startedMs) prestopMs = undefined;
        },
      },
      leaseFiles: leaseFiles({ dir: undefined, nowMs: process.clock.nowMs, bootMs }),
    };
  }
  /** Notes a message that has arrived, even if it was refused. */
  async function said<T>(word: Promise<T>): Promise<T> {
    const outcome = await word.catch((error: unknown) => error);
    if (!(outcome instanceof KonductorError) || outcome.status < 500) note({ what: "said", claim });
    return word;
  }
  const spawn = (what: string) => createProcess(scheduler, node.machine, `${what} of ${wish.name}`);

  return {
    gate() {
      const process = spawn("gate");
      note({ what: "gate", claim });
      const result = runGate(contextOf(process, off?.gate)).then((exitCode) => {
        const message = takeMessage(config.terminationLogPath);
        return message === undefined ? { exitCode } : { exitCode, message };
      });
      return { process, result };
    },
    keep() {
      const process = spawn("keeper");
      const termination = new AbortController();
      const context = contextOf(process);
      let atMs: number | undefined;
      context.prestopFile.discardBefore(context.bootMs());
      const result = runKeeper(context, { signal: termination.signal, atMs: () => atMs });
      return {
        process,
        result,
        terminate() {
          process.enter(() => {
            atMs ??= context.bootMs();
            termination.abort();
          });
        },
      };
    },
    announce() {
      const process = spawn("announcement");
      void runAnnounce(contextOf(process), process.clock.monotonicMs());
    },
  };
}

/** Reads and removes the message, since the next gate writes to the same file. */
function takeMessage(path: string): string | undefined {
  try {
    const message = readFileSync(path, "utf8");
    unlinkSync(path);
    return message;
  } catch {
    return undefined;
  }
}

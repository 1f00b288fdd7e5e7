import type { Command } from "commander";
import type { Cluster } from "../client/connect.ts";
import type { ServerClock } from "../kube/server-clock.ts";
import type { Clock } from "../shared/clock.ts";

export const OUTPUTS = ["text", "wide", "json", "yaml", "name"] as const;
/** Before a template of kubectl's: see jsonpath.ts. */
export const JSONPATH = "jsonpath=";
export type ObjectOutput = "json" | "yaml" | `${typeof JSONPATH}${string}`;
export type Output = (typeof OUTPUTS)[number] | ObjectOutput;

/** Whether the object itself is asked for. */
export function isObjectOutput(output: Output): output is ObjectOutput {
  return output === "json" || output === "yaml" || output.startsWith(JSONPATH);
}

/** The world around koncli, as its main file hands it in. */
export interface CliIo {
  clock: Clock;
  out(text: string): void;
  err(text: string): void;
  /** Whether somebody reads stderr as it is written. */
  isTerminal: boolean;
  /** Whether somebody can be asked at a terminal, as a credential plugin may. */
  isInteractive: boolean;
  env: Readonly<Record<string, string | undefined>>;
  hostname: string;
  /** The uid of the pod in which koncli runs. */
  podUid: string | undefined;
  /** Aborts at the first SIGINT, SIGTERM or SIGHUP, and when nobody reads stdout any more. */
  signal: AbortSignal;
  /** Calls `cleanUp`, which must not wait for anything, when koncli ends, also by a fault of ours; returns what ends that. */
  onExit(cleanUp: () => void): () => void;
  /** Hands signals for a child to `listener` instead; returns what ends that. While one listens, none of them ends or stops koncli. */
  onSignal(listener: (signal: NodeJS.Signals) => void): () => void;
}

/** What a command works with. */
export interface CommandContext {
  cluster: Cluster;
  output: Output;
  /** What time it is, as of the answers that were shown to it: the machine's clock may be wrong. */
  server: ServerClock;
  print(text: string): void;
  io: CliIo;
}

/** What a command does; a number is its exit code, nothing means yes. */
export type Action = (context: CommandContext) => Promise<void> | Promise<number>;

/** Connects as the flags of `command` say, runs `action`, and closes the connection, whatever happens. */
export type RunAction = (command: Command, action: Action) => Promise<void>;

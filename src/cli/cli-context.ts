import type { Command } from "commander";
import type { Cluster } from "../client/connect.ts";
import type { ServerClock } from "../kube/server-clock.ts";
import type { Clock } from "../shared/clock.ts";

export const OUTPUTS = ["text", "wide", "json", "yaml", "name"] as const;
/** Prefix of an output that is a kubectl template: see jsonpath.ts. */
export const JSONPATH = "jsonpath=";
export type ObjectOutput = "json" | "yaml" | `${typeof JSONPATH}${string}`;
export type Output = (typeof OUTPUTS)[number] | ObjectOutput;

/** Whether `output` prints the API object itself. */
export function isObjectOutput(output: Output): output is ObjectOutput {
  return output === "json" || output === "yaml" || output.startsWith(JSONPATH);
}

/** What koncli needs of its process, passed in by its main file. */
export interface CliIo {
  clock: Clock;
  out(text: string): void;
  err(text: string): void;
  /** Whether stderr is a terminal. */
  isTerminal: boolean;
  /** Whether somebody can be asked at a terminal, as a credential plugin may. */
  isInteractive: boolean;
  env: Readonly<Record<string, string | undefined>>;
  hostname: string;
  /** The uid of the pod in which koncli runs. */
  podUid: string | undefined;
  /** Aborts at the first SIGINT, SIGTERM or SIGHUP, and when nobody reads stdout any more. */
  signal: AbortSignal;
  /** Calls `cleanUp`, which must be synchronous, when koncli exits, even by a bug. Returns a function that unregisters it. */
  onExit(cleanUp: () => void): () => void;
  /** Passes signals meant for a child to `listener`, so that they neither end nor stop koncli, until the returned function is called. */
  onSignal(listener: (signal: NodeJS.Signals) => void): () => void;
}

/** What a command works with. */
export interface CommandContext {
  cluster: Cluster;
  output: Output;
  /** The API server's time, learnt from its answers: the machine's clock may be wrong. */
  server: ServerClock;
  print(text: string): void;
  io: CliIo;
}

/** What a command does. It resolves with an exit code; undefined means success. */
export type Action = (context: CommandContext) => Promise<void> | Promise<number>;

/** Connects as the flags of `command` say, runs `action`, and closes the connection, whatever happens. */
export type RunAction = (command: Command, action: Action) => Promise<void>;

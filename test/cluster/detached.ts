/** A cluster in the background, and the process that starts it and exits: both talk over Node's IPC channel until the cluster is ready. */
import { spawn } from "node:child_process";
import type { Log } from "./log.ts";

type Message = { readonly line: string } | { readonly status: string } | { readonly readyDir: string };

/** Runs a script of ours in the background and returns the cluster's folder when it is ready. */
export function startDetached(args: readonly string[], log: Log): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const child = spawn(process.execPath, args, {
    detached: true,
    stdio: ["ignore", "ignore", "ignore", "ipc"],
  });
  child.on("message", (message: Message) => {
    if ("line" in message) log.line(message.line);
    else if ("status" in message) log.status(message.status);
    else {
      child.disconnect();
      child.unref();
      resolve(message.readyDir);
    }
  });
  child.once("error", reject);
  child.once("exit", () => reject(new Error("the cluster did not start")));
  return promise;
}

/** The background side: a log that the starter prints, and the message that ends the talk. */
export function tellStarter(self: NodeJS.Process): Log & { ready(dir: string): void } {
  const tell = (message: Message) => {
    if (self.connected) self.send?.(message);
  };
  return {
    line: (line) => tell({ line }),
    status: (status) => tell({ status }),
    ready: (readyDir) => tell({ readyDir }),
  };
}

import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { expect, onTestFinished, test } from "vitest";

/** Nobody can listen to them, or a program that gets them is broken. */
const NOT_PASSED_ON = [
  ...["SIGKILL", "SIGSTOP"],
  ...["SIGILL", "SIGTRAP", "SIGBUS", "SIGFPE", "SIGSEGV", "SIGSYS"],
];
/** A program that listens to these gets them again and again, as long as it uses a terminal in the background. */
const OF_TERMINALS = ["SIGTTIN", "SIGTTOU"];
/** By default they do nothing to a Node program. */
const HARMLESS = ["SIGCHLD", "SIGPIPE", "SIGURG", "SIGXFSZ"];
/** Other names of signals that are in the list. */
const ALIASES = ["SIGIOT", "SIGPOLL"];
const OTHERS = [...NOT_PASSED_ON, ...OF_TERMINALS, ...HARMLESS, ...ALIASES];
const SIGNALS = Object.keys(constants.signals).filter((name) => !OTHERS.includes(name)) as NodeJS.Signals[];

test("every signal that would end or stop koncli, and can be caught, is passed on", async () => {
  const module = join(import.meta.dirname, "../../../src/cli/passed-signals.ts");
  const script = `import { onPassedSignal } from ${JSON.stringify(module)};
    onPassedSignal((signal) => console.log(signal));
    setInterval(() => {}, 1_000);
    console.log("ready");`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines = createInterface({ input: child.stdout });
  const exit = once(child, "exit");
  const next = async () => (await Promise.race([once(lines, "line"), exit])).join(" ");
  expect(await next()).toBe("ready");
  const heard: string[] = [];
  for (const signal of SIGNALS) {
    if (child.signalCode !== null) break;
    const line = next();
    child.kill(signal);
    heard.push(await line);
  }
  expect(heard).toEqual(SIGNALS);
});

/**
 * `make chaos` (`npm run chaos`): workloads on a kubelet take turns while konductor, node and control plane are killed, cut off and paused at random.
 * Then a checker proves that no two held at once and that every workload had a turn. Needs root on Linux.
 * SECONDS sets the duration. SEED sets the plan: the same seed plans the same faults again. GUARD=off leaves the label off, which must fail. KEEP=on
 * keeps journals and logs of a run that passed, too.
 * Exit codes: 0 nothing was violated, 1 a rule was violated or the run could not be judged, 130 ended by a signal.
 */
import { describeError } from "../../src/shared/errors.ts";
import { runUntilSignalled } from "../../tools/signals.ts";
import { startKubeletEnvironment } from "../e2e/kubelet-environment.ts";
import { type Outcome, runChaos } from "./chaos.ts";
import { keepEvidence } from "./evidence.ts";
import { readOptions } from "./options.ts";
import { formatPlan, planChaos } from "./plan.ts";
import { formatReport } from "./report.ts";

const { stdout, stderr } = process;

async function main(signal: AbortSignal): Promise<number> {
  const {
    seed,
    seconds,
    guard,
    keep: keepsAlways,
  } = readOptions(process.argv.slice(2), process.env, Math.random);
  const plan = planChaos(seed, seconds);
  stdout.write(`${formatPlan(plan)}${guard ? "" : "the guard is off: violations are to be found\n"}\n`);
  const told: string[] = [];
  const tell = (line: string) => {
    told.push(line);
    stdout.write(`${line}\n`);
  };
  const environment = await startKubeletEnvironment({ env: process.env, stream: stderr });
  const keep = async (files: Readonly<Record<string, string>>) => {
    const dir = await keepEvidence(environment, seed, { "told.txt": told.join("\n"), ...files });
    stdout.write(
      `journals, audit log and logs of all parts are kept in ${dir}\nagain: ${guard ? "" : "GUARD=off "}SEED=${seed} SECONDS=${seconds} make chaos\n`,
    );
  };
  try {
    signal.throwIfAborted();
    let outcome: Outcome;
    try {
      outcome = await runChaos({ environment, plan, guard, tell }, signal);
    } catch (error) {
      if (!signal.aborted) await keep({ "failure.txt": describeError(error) });
      throw error;
    }
    const report = formatReport(plan, outcome);
    stdout.write(`\n${report}`);
    const isSafe = outcome.verdict.violations.length === 0;
    if (isSafe && !keepsAlways) return 0;
    await keep({ "report.txt": report, "history.json": JSON.stringify(outcome, null, 1) });
    return isSafe ? 0 : 1;
  } finally {
    await environment.stop();
  }
}

await runUntilSignalled(process, main);

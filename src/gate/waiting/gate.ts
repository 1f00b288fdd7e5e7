/**
 * The gate: waits until the pod holds its lease.
 *
 * Promise: it ends with {@link EXIT.done} only after a renewal of the granted hold was answered and its deadline, counted from the sending
 * of that renewal, was stored for the keeper (and shown to main where `token-file` asks for it). It never resumes a hold that a keeper
 * marked as lost: it tells the server by `lostToken` that main has ended; then the pod queues again or, where it may not rerun, ends with
 * {@link EXIT.lost}. It waits for ever: the server enforces limits on waiting, by `denied`.
 */
import { writeFileSync } from "node:fs";
import { exponentialBackoff } from "../../shared/backoff.ts";
import { describeError, KonductorError } from "../../shared/errors.ts";
import { EXIT, passMessage } from "../../shared/names.ts";
import { type Context, renewTimeoutMs, SAY_TROUBLE_MS } from "../gate-context.ts";
import { troubleLog } from "../log.ts";
import { type Denied, denialOf, type Granted, isVerdict } from "../wire/answers.ts";
import { pauseWithin, untilAnswered } from "../wire/tries.ts";
import { queueForLease } from "./queue.ts";

/** How long a pod that may not rerun tries to report that its hold is over; it fails either way. */
const REPORT_LOST_MS = 10_000;
/** The arbiter takes back a grant that is not confirmed within this time. */
const CONFIRMED_WITHIN_MS = 10_000;

/** Resolves with the exit code of the gate; rejects with the signal's reason when it is told to stop. */
export async function runGate(context: Context, signal?: AbortSignal): Promise<number> {
  const { config, log, holdFile, trustFile, leaseFiles, route, clock, random } = context;
  // Left by an earlier run of the pod.
  leaseFiles.hide();
  const stored = holdFile.read(config.lease);
  for (const contact of [stored, trustFile.read()]) if (contact) route.recall(contact);
  let lostToken = stored?.state === "lost" ? stored.token : undefined;
  if (lostToken !== undefined && !config.rerun) {
    await reportLost(context, lostToken);
    log.info(`the hold of klease ${config.lease} was lost, and this pod may not run again: it fails`);
    return EXIT.lost;
  }
  const backoff = exponentialBackoff({ firstMs: 100, maxMs: 5_000, random });
  for (let refusals = 0; ; refusals++) {
    const gateRun = context.newGateRun();
    const end = await queueForLease(context, { gateRun, lostToken: lostToken || undefined }, signal);
    if (end.state === "denied") return denied(context, end);
    lostToken = undefined;
    const outcome = await confirm(context, end, gateRun, signal);
    if (outcome === "held") return EXIT.done;
    if (outcome !== "lost") return denied(context, outcome);
    log.info(`the grant of klease ${config.lease} was taken back before it was confirmed; queueing again`);
    await clock.sleep(backoff(refusals), signal);
  }
}

/** Leaves the reason in the pod's status, where people look first. */
function denied(context: Context, { reason, message }: Denied): number {
  const why = `klease ${context.config.lease} was not granted: ${message} (${reason})`;
  context.log.info(why);
  leaveMessage(context, why);
  return reason === "HoldLost" ? EXIT.lost : EXIT.refused;
}

/** Ends at the first answer to the report, or after {@link REPORT_LOST_MS}. */
async function reportLost(context: Context, lostToken: number): Promise<void> {
  if (lostToken === 0) return;
  const stop = new AbortController();
  const answered = (): void => stop.abort();
  const cancel = context.clock.after(REPORT_LOST_MS, answered);
  try {
    await queueForLease(context, { gateRun: context.newGateRun(), lostToken }, stop.signal, answered);
  } catch (error) {
    if (!stop.signal.aborted) throw error;
  } finally {
    cancel();
  }
}

/** What the pod's status shows once the gate has ended. */
function leaveMessage({ config, log }: Context, message: string): void {
  try {
    writeFileSync(config.terminationLogPath, message);
  } catch (error) {
    log.info(`the termination message could not be written: ${describeError(error)}`);
  }
}

/** Renews the granted hold until that is answered, and stores it for the keeper. */
async function confirm(
  context: Context,
  grant: Granted,
  gateRun: string,
  signal?: AbortSignal,
): Promise<"held" | "lost" | Denied> {
  const { config, clock, bootMs, log, client, holdFile, leaseFiles, route } = context;
  const { token, ttlMs } = grant;
  const { trouble } = troubleLog(log, clock.monotonicMs, SAY_TROUBLE_MS);
  const tries = {
    tryMs: renewTimeoutMs(ttlMs),
    pauseMs: () => pauseWithin(CONFIRMED_WITHIN_MS),
    isFinal: isVerdict,
    onTrouble: (error: KonductorError) =>
      trouble(`confirming the grant of klease ${config.lease} fails, trying again: ${describeError(error)}`),
  };
  for (;;) {
    try {
      const { answer: renewed, sentMs } = await untilAnswered(
        context,
        (options) => client.renew({ token, ttlMs, gateRun }, options),
        tries,
        signal,
      );
      const deadline = sentMs + renewed.ttlMs;
      // A machine that slept in between has a hold that may be over already: confirm again.
      if (bootMs() >= deadline) continue;
      // The keeper says that it counts with this ttl, which may not be less than what its deadline is made of.
      const counted = { ttlMs: Math.max(ttlMs, renewed.ttlMs), deadline };
      holdFile.write({ lease: config.lease, token, ...counted, state: "held", ...route.learnt() });
      leaseFiles.show({ token, deadline });
      // By this message the arbiter tells this run's containers from an earlier run's. Without it only the pod's terminal phase proves
      // main's end, a little later: no reason to keep the pod waiting.
      leaveMessage(context, passMessage(token, gateRun));
      log.info(`klease ${config.lease} acquired with fencing token ${token}`);
      return "held";
    } catch (error) {
      if (signal?.aborted || !(error instanceof KonductorError)) throw error;
      return denialOf(error) ?? "lost";
    }
  }
}

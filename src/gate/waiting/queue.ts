import { exponentialBackoff } from "../../shared/backoff.ts";
import { describeError, hasCode, KonductorError } from "../../shared/errors.ts";
import { type Context, SAY_TROUBLE_MS } from "../gate-context.ts";
import { troubleLog } from "../log.ts";
import { type Denied, denialOf, type Granted } from "../wire/answers.ts";
import { likelyCause } from "./likely-cause.ts";
import { queueLog } from "./queue-log.ts";

/** How long there is no answer before the likely cause is logged. */
const SAY_CAUSE_MS = 10_000;
const SLOW = "it is overloaded, or something else accepts connections at its address";
/** A connection that lived this long was a good one: the next one follows at once. */
const GOOD_STREAM_MS = 5_000;
/**
 * A grant must be confirmed within 10 s, of which a replica may need half to hear of the API server again after an outage. With this pause,
 * a gate that is refused until then comes back in time for its grant.
 */
const LONGEST_PAUSE_MS = 3_000;

/**
 * Queues until the lease is granted or denied, reconnecting for ever; calls `onAnswer` at every answer but a `reconnect`. The server
 * remembers the place in the queue, so a new connection keeps it. `lostToken` is sent until it is answered.
 */
export async function queueForLease(
  context: Context,
  { gateRun, lostToken }: { gateRun: string; lostToken?: number | undefined },
  signal?: AbortSignal,
  onAnswer = (): void => {},
): Promise<Granted | Denied> {
  const { config, clock, log, client, random } = context;
  const report = queueLog(log, config.lease, clock.monotonicMs);
  const troubles = troubleLog(log, clock.monotonicMs, SAY_TROUBLE_MS);
  const backoff = exponentialBackoff({ firstMs: 100, maxMs: LONGEST_PAUSE_MS, random });
  let toReport = lostToken;
  // The first address is the ClusterIP: its error tells more than later ones.
  let cause: string | undefined;
  const cancelCause = clock.after(SAY_CAUSE_MS, () =>
    log.info(`konductor has not answered for ${SAY_CAUSE_MS / 1000} s; probably ${cause ?? SLOW}`),
  );

  /** One connection. Resolves with undefined where the gate must connect again. */
  async function connect(): Promise<Granted | Denied | undefined> {
    for await (const line of client.acquire({ lostToken: toReport, gateRun }, { signal })) {
      cancelCause();
      if (line.state === "reconnect") return undefined;
      toReport = undefined;
      onAnswer();
      troubles.over(`konductor answers again for klease ${config.lease}`);
      if (line.state === "granted" || line.state === "denied") return line;
      report(line);
    }
    return undefined;
  }

  try {
    for (let attempt = 0; ; attempt++) {
      const startedMs = clock.monotonicMs();
      let delayMs: number | undefined;
      try {
        const end = await connect();
        if (end) return end;
      } catch (error) {
        if (signal?.aborted || !(error instanceof KonductorError)) throw error;
        const denial = denialOf(error);
        if (denial) return denial;
        if (hasCode(error, "Unreachable")) cause ??= likelyCause(error);
        else cancelCause();
        troubles.trouble(`waiting for klease ${config.lease}, trying again: ${describeError(error)}`);
        delayMs = error.retryAfterMs;
      }
      if (clock.monotonicMs() - startedMs >= GOOD_STREAM_MS) attempt = 0;
      await clock.sleep(delayMs ?? backoff(attempt), signal);
    }
  } finally {
    cancelCause();
  }
}

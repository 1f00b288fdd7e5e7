/**
 * Which attempt of a pod's gate is speaking: `BOOT_ID/MS`, the node's boot and the time from it to the attempt's start. A gate that runs
 * proves that main of the pod's earlier runs has ended, so a hold that an earlier run confirmed may be replaced. But a request can be late
 * (a server held up, a connection lost silently), and one of the very run that let main through must replace nothing. In the same form a
 * keeper says when it began to run, or was asked to stop. Limit: a request that is held up across a reboot of its node.
 */
const PATTERN = /^([0-9a-f-]{1,64})\/(\d{1,15})$/;

/** `startedMs` counts from the node's boot. */
export function formatGateRun(bootId: string, startedMs: number): string {
  return `${bootId}/${Math.round(startedMs)}`;
}

export function isGateRun(text: string): boolean {
  return PATTERN.test(text);
}

/** Whether `run` began after `confirmed`, the run that confirmed a hold; a run of another boot did. False where either is unknown. */
export function isLaterRun(run: string | undefined, confirmed: string | undefined): boolean {
  const [of, than] = [parse(run), parse(confirmed)];
  return of !== undefined && than !== undefined && (of.boot !== than.boot || of.ms > than.ms);
}

/** Whether `run` is known to have begun before `other`. */
export function isEarlierRun(run: string | undefined, other: string | undefined): boolean {
  const [of, than] = [parse(run), parse(other)];
  return of !== undefined && than !== undefined && of.boot === than.boot && of.ms < than.ms;
}

function parse(run: string | undefined): { boot: string; ms: number } | undefined {
  const [, boot, ms] = run?.match(PATTERN) ?? [];
  return boot === undefined ? undefined : { boot, ms: Number(ms) };
}

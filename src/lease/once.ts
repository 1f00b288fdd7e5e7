/**
 * Work that is done once (`konductor.io/once: KEY`): what a Lease remembers of it. Work with a key that is on its list is not granted the
 * Lease again. A key comes on the list by the very write that ends the hold under which the work has provably succeeded, so no moment
 * shows the Lease free and the work not noted. Pure; what proves success is in proof.ts.
 */
import { secondsTime } from "../shared/times.ts";
import type { DoneWork, Hold, Lease, LeaseRequest, LeaseStatus } from "./types.ts";

/** As many as the schema allows. When a further one comes, the oldest falls out, and its work may run again. */
export const DONE_REMEMBERED = 32;

/** Why a request is denied: its work is done already. */
export const ALREADY_DONE = "AlreadyDone";

/** The same for a pod that has lost its Job, which would have ended in its place: the pod is told, and fails. */
export const DONE_WITHOUT_JOB = "AlreadyDoneWithoutJob";

const KEY = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;

/** What {@link isOnceKey} allows, for people. */
export const ONCE_KEY_RULE =
  'letters, digits, "-", "_" and "." are allowed, with a letter or a digit at both ends; 63 characters at most';

/** Whether work may have this key: a label's value that is not empty. */
export function isOnceKey(key: string): boolean {
  return KEY.test(key);
}

/** What a Lease with this status remembers of the work `key`; undefined: it is not done, or was forgotten. */
export function doneWork(
  { done = [] }: Pick<LeaseStatus, "done">,
  key: string | undefined,
): DoneWork | undefined {
  return key === undefined ? undefined : done.find((work) => work.key === key);
}

/** Whether what `request` asks the Lease for is done already. */
export function isDone(status: Pick<LeaseStatus, "done">, { spec }: Pick<LeaseRequest, "spec">): boolean {
  return doneWork(status, spec.once) !== undefined;
}

/** Who has done the work `key`, and when, for people: `"schema-v42" was done by migrate-1 at 2026-01-01T00:00:00Z, token 42`. */
export function describeDone(key: string, work: DoneWork | undefined): string {
  const what = `${JSON.stringify(key)} is done already`;
  return work ? `${what}: by ${work.holder} at ${secondsTime(work.timeMs)}, under token ${work.token}` : what;
}

/** Why a request is denied by {@link DONE_WITHOUT_JOB}, for people. */
export function describeDoneWithoutJob(
  { spec: { once = "" } }: Pick<LeaseRequest, "spec">,
  lease: Pick<Lease, "status"> | undefined,
): string {
  const done = describeDone(once, lease && doneWork(lease.status, once));
  return `${done}, and the pod has no Job any more that could end without having run`;
}

/** Whether the request was refused because its work is done, and its claimant's Job, or its client, ends without having run. */
export function isAlreadyDone({ status }: Pick<LeaseRequest, "status">): boolean {
  return status.phase === "Denied" && status.reason === ALREADY_DONE;
}

/** `done` with the work of `hold`, which has succeeded, at its head. */
export function withDone(
  done: readonly DoneWork[] = [],
  { once: key, holder, token }: Pick<Hold, "once" | "holder" | "token">,
  timeMs: number,
): readonly DoneWork[] {
  if (key === undefined) return done;
  const others = done.filter((work) => work.key !== key);
  return [{ key, holder, token, timeMs }, ...others].slice(0, DONE_REMEMBERED);
}

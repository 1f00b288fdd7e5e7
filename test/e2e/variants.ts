/**
 * Scenarios that `make test` leaves to the night. Each of the list is a variant of another one, which `make test` plays: the same code in konductor and
 * on the node ends the hold. The unit tests and the simulation play both.
 */
import type { Scenario } from "./environment.ts";

const VARIANTS: readonly { variant: string; of: string }[] = [
  {
    variant:
      "a holder that exceeds its Job's activeDeadlineSeconds keeps its klease until its main has ended",
    of: "a holder that exceeds its own activeDeadlineSeconds keeps its klease until its main has ended",
  },
  {
    variant:
      "a holder that loses its Job, deleted in the foreground keeps its klease until its main has ended",
    of: "a holder that loses its Job, deleted in the background keeps its klease until its main has ended",
  },
  {
    variant: "gate: job: a Job that is deleted in the foreground holds until its last pod has ended",
    of: "gate: job: a Job that is deleted in the background holds until its last pod has ended",
  },
  {
    variant: "a new version of an active/passive pair is rolled out with strategy RollingUpdate",
    of: "a new version of an active/passive pair is rolled out with strategy Recreate",
  },
  {
    variant:
      "a pod that cannot fence itself and whose keeper's image is gone is deleted, and the next pod runs when main has ended",
    of: "a pod that cannot fence itself and whose keeper is killed again and again is deleted, and the next pod runs when main has ended",
  },
  {
    variant:
      "a pod that can fence itself and whose keeper is killed again and again is stopped by its kubelet or deleted, and the next pod runs when main has ended",
    of: "a pod that can fence itself and whose keeper's image is gone is deleted, and the next pod runs when main has ended",
  },
  {
    variant: "a gate killed with -9 after its grant, restartPolicy Never: the next one is served",
    of: "a gate killed with -9 after its grant, restartPolicy OnFailure: its pod is let in again",
  },
  {
    variant:
      "a pod whose own init container fails again and again loses its klease after start-timeout, and queues again behind the next pod",
    of: "a pod whose image is missing loses its klease after start-timeout, and queues again behind the next pod",
  },
  {
    variant:
      "a deleted pod whose main has a preStop hook that hogs the grace period, and then ignores TERM keeps its klease until main has ended",
    of: "a deleted pod whose main ignores TERM until its grace period runs out keeps its klease until main has ended",
  },
  {
    variant:
      "the deleted pod of a DaemonSet is replaced, and the new pod gets a hold of its own with a higher token",
    of: "the deleted pod of a StatefulSet is replaced, and the new pod gets a hold of its own with a higher token",
  },
  {
    variant:
      "if-held: fail and wait-timeout: with restartPolicy Always the gate asks again, with a new time, and the pod runs later",
    of: "if-held: fail and wait-timeout: with restartPolicy OnFailure the gate asks again, with a new time, and the pod runs later",
  },
  {
    variant: "the arbiter's death neither restarts a force-deleted pod's grace period nor ends it early",
    of: "a pod that is deleted by force gives up its klease, whose ttl is 10m, when its grace period is over",
  },
  {
    variant:
      "a pod without a grace period gives up its klease, whose ttl is 10m, within 10 s of its keeper's announcement",
    of: "a pod that is deleted by force gives up its klease, whose ttl is 10m, when its grace period is over",
  },
  {
    variant:
      "gate: job: a Job whose klease is deleted while nobody else waits gets a new klease and runs again",
    of: "the deletion of a held klease ends its holder before the next pod runs",
  },
  {
    variant: "a main that fails and restarts in place keeps its hold",
    of: "a main that is restarted in place by its liveness probe keeps its hold, with the same token",
  },
];

/** The scenarios without variants, and without those that measure milliseconds on a quiet machine. Throws if the list names a scenario that does not exist, so that no list grows stale. */
export function withoutVariants(scenarios: readonly Scenario[]): Scenario[] {
  const names = new Set(scenarios.map(({ name }) => name));
  const unknown = VARIANTS.flatMap(({ variant, of }) => [variant, of]).filter((name) => !names.has(name));
  if (unknown.length > 0) throw new Error(`test/e2e/variants.ts names no scenario: ${unknown.join("; ")}`);
  const variants = new Set(VARIANTS.map(({ variant }) => variant));
  return scenarios.filter(({ name, locks = [] }) => !variants.has(name) && !locks.includes("machine"));
}

/**
 * What a pod's status proves of main: that it has ended for good, that it has started, that a keeper could have stopped it. Only what
 * the kubelet wrote is evidence. What somebody else wrote is not, nor is a pod that is simply gone.
 */
import { EXIT, passedToken } from "../shared/names.ts";
import { type ContainerView, isPastGate, isTerminal, type PodView } from "./pod.ts";

/**
 * Proof that main has ended and will not run again under the hold `token`: a terminal phase that the kubelet wrote, or every
 * main container seen terminated in the run that this hold's gate let through, with nothing to restart it. A pod that was
 * never bound has no kubelet that could run it, but only the final version of a deleted pod can show that (`isFinal`): a live
 * one may be bound a moment later.
 */
export function provesMainEnded(pod: PodView, token: number, isFinal: boolean): boolean {
  if (pod.collected) return false;
  if (isTerminal(pod)) return true;
  if (isFinal && pod.node === undefined) return true;
  return pod.main.length > 0 && pod.main.every((container) => hasEndedForGood(container, pod, token));
}

/**
 * Whether main has provably succeeded under the hold `token`: its kubelet wrote the phase Succeeded, and the pod was not being deleted by
 * then. Exit codes alone do not show it. A main that is told to stop, as by an eviction, a deadline, a fence or a deletion, may end with 0 as
 * well, and only the phase tells: Failed, or none while it runs again. For a pod that is being deleted, it does not tell either. Limit: a main
 * that ends with 0 because a probe, a process in its container or somebody at its node told it to stop looks as if it had succeeded.
 */
export function provesSuccess(pod: PodView, token: number): boolean {
  return (
    pod.phase === "Succeeded" &&
    pod.deletionMs === undefined &&
    passedToken(pod.gate?.message) === token &&
    pod.keeper?.exitCode !== EXIT.fenced
  );
}

/**
 * Whether the pod's kubelet has still to tell if main has succeeded, although main has ended: it writes the terminal phase once the keeper
 * has ended too, a second later. A main that has failed, or was told to stop, leaves nothing to be waited for.
 */
export function awaitsOutcome(pod: PodView): boolean {
  if (isTerminal(pod) || pod.deletionMs !== undefined || pod.keeper?.exitCode === EXIT.fenced) return false;
  return pod.main.every(({ kind, exitCode }) => kind === "sidecar" || exitCode === 0);
}

/** The kubelet counts the grace period in whole seconds. */
const GRACE_MARGIN_MS = 1_000;

/**
 * Whether main has ended and is not started again: by the pod's status; or, of a pod that is being deleted, by its keeper, which was asked
 * to stop `sincePreStopMs` after its preStop began. The kubelet stops the keeper last, unless the grace period runs out.
 */
export function provesEnd(pod: PodView, token: number, sincePreStopMs: number | undefined): boolean {
  if (provesMainEnded(pod, token, false)) return true;
  const { deletionMs, deletionGraceSeconds = 0, isKeeperPatched, isEndedByKubelet } = pod;
  if (deletionMs === undefined || !hasMainStarted(pod, token)) return false;
  // A keeper whose image was patched was stopped while main ran, maybe before its kubelet knew of the deletion. And a kubelet that began to
  // end the pod before the deletion may count a shorter grace period.
  if (isKeeperPatched || isEndedByKubelet) return false;
  return sincePreStopMs !== undefined && sincePreStopMs < deletionGraceSeconds * 1_000 - GRACE_MARGIN_MS;
}

function hasEndedForGood(container: ContainerView, pod: PodView, token: number): boolean {
  if (container.state !== "terminated" || !ranUnder(container, pod, token)) return false;
  // A deletion of the pod changes nothing here: its kubelet may not know of it yet, and restart the container. Once it knows, it
  // writes a terminal phase as soon as it has stopped everything.
  // Only the kubelet knows what a restart rule restarts, and when: wait for the terminal phase.
  if (container.hasRestartRules) return false;
  if (container.kind === "sidecar") {
    return pod.main.every((other) => other.kind !== "app" || hasEndedForGood(other, pod, token));
  }
  if (container.kind === "init" && container.exitCode === 0) return true;
  const policy = container.restartPolicy ?? pod.restartPolicy;
  return policy === "Never" || (policy === "OnFailure" && container.exitCode === 0);
}

/**
 * Whether what the status says of `container` is about the run that the gate of hold `token` let through. A pod whose
 * sandbox was re-created, or that was fenced, runs its init containers again under the same uid, and its status may show the
 * ended containers of the earlier run for a second or more: without this question they would end the new hold. The gate
 * therefore leaves its token in its termination message. Limit: a node clock set back between two runs.
 */
function ranUnder(container: ContainerView, pod: PodView, token: number): boolean {
  return (
    isPastGate(pod) &&
    passedToken(pod.gate?.message) === token &&
    pod.gate?.finishedMs !== undefined &&
    container.startedMs !== undefined &&
    container.startedMs >= pod.gate.finishedMs
  );
}

/** The app containers that still run under hold `token` although others of the pod have ended for good, such as an endless sidecar. */
export function lingeringContainers(pod: PodView, token: number): string[] {
  const apps = pod.main.filter(({ kind }) => kind === "app");
  if (!apps.some((container) => hasEndedForGood(container, pod, token))) return [];
  return apps.filter(({ state }) => state === "running").map(({ name }) => name);
}

/** After a run longer than this, the kubelet restarts a container at once and resets its back-off. */
const STAYED_UP_MS = 600_000;

/**
 * Whether an app container that has started under hold `token` was restarted more than `maxRestarts` times, counted since the pod was made,
 * and is down again after a short run. Its state is `terminated` for most of its back-off; CrashLoopBackOff shows for moments (kubelet 1.37).
 */
export function crashLoops(pod: PodView, token: number, maxRestarts: number): boolean {
  return pod.main.some((container) => {
    const {
      kind,
      state,
      restarts = 0,
      isBackingOff,
      startedMs = 0,
      finishedMs = Number.POSITIVE_INFINITY,
    } = container;
    if (kind !== "app" || restarts <= maxRestarts || !ranUnder(container, pod, token)) return false;
    if (isBackingOff) return true;
    return (
      state === "terminated" &&
      finishedMs - startedMs < STAYED_UP_MS &&
      !hasEndedForGood(container, pod, token)
    );
  });
}

/** Whether an app container of the user has started under hold `token`; an init container that crash-loops does not count. */
export function hasMainStarted(pod: PodView, token: number): boolean {
  return pod.main.some((container) => container.kind === "app" && ranUnder(container, pod, token));
}

/** Whether an app container is known to have run at any time, if only in an earlier run. */
export function hasEverStarted(pod: PodView): boolean {
  return pod.main.some(({ kind, startedMs }) => kind === "app" && startedMs !== undefined);
}

/**
 * Whether main has started, as far as start-timeout asks: under hold `token` where the status is about that run, else (a kubelet
 * that keeps no termination messages) at any time.
 */
export function hasStarted(pod: PodView, token: number): boolean {
  return passedToken(pod.gate?.message) === token ? hasMainStarted(pod, token) : hasEverStarted(pod);
}

/**
 * Whether its main may be running although no Lease records its hold (the Lease was deleted): it is past its gate, and nothing
 * proves that what the gate let through has ended.
 */
export function mayRunUnrecorded(pod: PodView): boolean {
  return isPastGate(pod) && !provesMainEnded(pod, passedToken(pod.gate?.message) ?? Number.NaN, false);
}

/** A first fence comes at least half of the shortest ttl after the gate was done. */
const KEEPER_STARTS_WITHIN_MS = 5_000;

/**
 * Whether its keeper is known to have run ever since the gate of hold `token` let the pod through. A keeper that crashed and came
 * back may have found its deadline passed, and may only just have begun to stop main. A status about an earlier run says nothing
 * of this one.
 */
export function hasKeptSinceGate({ keeper, gate }: PodView, token: number): boolean {
  return (
    passedToken(gate?.message) === token &&
    gate?.finishedMs !== undefined &&
    keeper?.startedMs !== undefined &&
    keeper.startedMs <= gate.finishedMs + KEEPER_STARTS_WITHIN_MS
  );
}

/**
 * Whether main runs, if at all, with a keeper that can stop it: the keeper runs; or it has fenced, so that the kubelet stops main; or the
 * gate has not let the pod through (yet, or since a fence), and the kubelet starts the keeper before main.
 */
export function isGuarded(pod: PodView): boolean {
  const { keeper } = pod;
  const hasFenced = keeper?.state === "terminated" && keeper.exitCode === EXIT.fenced;
  return keeper?.state === "running" || (hasFenced && keeper.hasRestartRules) || !isPastGate(pod);
}

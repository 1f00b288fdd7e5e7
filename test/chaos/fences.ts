/**
 * Holders that were stopped because they could not renew. Each loss must have an explanation: a fault that kept the holder's renewals from every
 * replica for as long as docs/guarantees.md states ("Choosing a ttl"). A single replica that is cut off, paused or dead explains no loss, nor does a
 * silent watch.
 */
import { stopMs } from "../../src/lease/stop.ts";
import { FAULTS, type FaultName } from "./faults.ts";
import { type Grant, isUnder } from "./grants.ts";
import { at, type FaultRecord, type Fence, type WorkloadRun } from "./history.ts";
import { lengthMs, type Span, within } from "./spans.ts";

/** A time in which a main was stopped, or had to stop itself. */
export interface Loss extends Span {
  pods: readonly string[];
  /** The first sign of life of a main under that hold. */
  beganMs: number;
  ttlMs: number;
  how: string;
}

/** Conditions that nobody causes and that count as faults: the machine stood still, or every replica was down or ill. */
export const SHORT_OF_CPU = "short of CPU";
export const NO_REPLICA = "no replica at work";

/** Faults that stop the renewals of all pods: row "konductor, API server or etcd away" of docs/guarantees.md. */
const STOPS_ALL: readonly (FaultName | typeof SHORT_OF_CPU | typeof NO_REPLICA)[] = [
  "kill -9 of kube-apiserver",
  "kill -9 of etcd",
  "pause of kube-apiserver",
  "pause of etcd",
  "slow kube-apiserver",
  "partition of all pods",
  "partition of the holders from konductor and of the kubelet from the API server",
  SHORT_OF_CPU,
  NO_REPLICA,
];
/** Faults that stop only the renewals of the pods that they are aimed at: rows "keeper cut off" and "keeper down past the ttl". */
const STOPS_ITS_PODS: readonly FaultName[] = [
  "partition of a holder from konductor",
  "partition of every holder from konductor",
  "kill -9 of a sandbox",
  "kill -9 of a keeper",
  "pause of a keeper",
  "pause of a keeper under AfterTermination",
];

/** Faults that keep keeper and main from starting in a pod whose gate has finished: row "keeper down past the ttl". Running keepers still renew. */
const STOPS_ITS_START: readonly FaultName[] = [
  "kill -9 of the kubelet",
  "pause of the kubelet",
  "kill -9 of containerd",
  "pause of containerd",
];

/** The share of the ttl for which renewals may be stopped: a renewal is due after a third, and a little later. */
const BEARS = 0.65;
/** How long the pods of `laneJob` take to stop. */
const STOP_MS = stopMs({ containers: [{ name: "main" }] });
/** A healed component answers again, and the keepers' tries reach it. */
const RECOVERS_WITHIN_MS = 3_000;
/** How long a killed keeper may wait for its restart. */
const RESTARTS_WITHIN_MS = 60_000;
/** The kubelet tries a failed start again after its back-off, which has jitter (backOffPeriod, workerBackOffPeriodJitterFactor). */
const STARTS_WITHIN_MS = 15_000;
/** The kubelet reports a container's end in whole seconds. */
const SECOND_MS = 1_000;

/** The losses of one klease's holders. `runs` and `fences` are of that klease, too. */
export function lossesOf(
  runs: readonly WorkloadRun[],
  grants: readonly Grant[],
  fences: readonly Fence[],
): Loss[] {
  const ended = grants.flatMap(({ token, holder, ttlMs, reason, expiresMs = 0, endedMs }): Loss[] => {
    const mains = runs.filter((run) => run.token === token);
    const lastMs = Math.max(...mains.map(({ toMs }) => toMs));
    // A holder that ended by itself, unheard, renewed its hold a third of the ttl before.
    const isLost = reason === "Fenced" || (reason === "Expired" && lastMs >= expiresMs - STOP_MS);
    if (mains.length === 0 || !isLost) return [];
    const pods = [...new Set(mains.map(({ by }) => by))];
    const how = `the hold of ${holder} (token ${token}) ended by ${reason}`;
    const beganMs = Math.min(...mains.map(({ fromMs }) => fromMs));
    return [{ fromMs: lastMs - ttlMs, toMs: endedMs ?? lastMs, pods, beganMs, ttlMs, how }];
  });
  const fenced = fences.flatMap(({ pod, atMs }): Loss[] => {
    // A keeper whose main ended by itself is refused. If main dies within that second, the end of the hold shows the cause.
    const endMs = atMs + SECOND_MS;
    const main = runs.find((run) => run.by === pod && run.fromMs < endMs && run.toMs >= endMs);
    const grant = grants.find((each) => main?.token === each.token && isUnder(main, each));
    const isKnown = ended.some((loss) => loss.pods.includes(pod) && loss.fromMs < atMs && loss.toMs > atMs);
    if (!main || !grant || isKnown) return [];
    const { ttlMs } = grant;
    const how = `the keeper of ${pod} (token ${grant.token}) fenced`;
    return [{ fromMs: atMs - ttlMs, toMs: endMs, pods: [pod], beganMs: main.fromMs, ttlMs, how }];
  });
  return [...ended, ...fenced];
}

/** Why nothing forced `loss`; undefined if `faults` explain it. */
export function findNeedless(loss: Loss, faults: readonly FaultRecord[]): string | undefined {
  const unrenewed = faults.filter((fault) => stopsRenewalsOf(fault, loss)).map(spanOf);
  const starts = faults
    .filter(({ kind }) => isOneOf(STOPS_ITS_START, kind))
    .map(({ fromMs, toMs }) => ({ fromMs, toMs: toMs + STARTS_WITHIN_MS }));
  const unstarted = within({ ...loss, toMs: loss.beganMs }, starts);
  const stoppedMs = lengthMs([...within(loss, unrenewed), ...unstarted]);
  if (stoppedMs >= BEARS * loss.ttlMs - STOP_MS) return undefined;
  return `${loss.how} between ${at(loss.fromMs)} and ${at(loss.toMs)}, though faults stopped its renewals for ${Math.round(stoppedMs)} ms only`;
}

function stopsRenewalsOf(fault: FaultRecord, { pods }: Loss): boolean {
  const isAimedAtIt = pods.some((pod) => fault.pods?.includes(pod));
  return isOneOf(STOPS_ALL, fault.kind) || (isOneOf(STOPS_ITS_PODS, fault.kind) && isAimedAtIt);
}

const isOneOf = (kinds: readonly string[], kind: string) => kinds.includes(kind);

function spanOf({ kind, fromMs, toMs }: FaultRecord): Span {
  const isKill = FAULTS.some(({ name, lastsMs }) => name === kind && !lastsMs);
  return { fromMs, toMs: toMs + (isKill ? RESTARTS_WITHIN_MS : RECOVERS_WITHIN_MS) };
}

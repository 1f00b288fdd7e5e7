/** Everything that a seed decides: which workloads there are, and which fault strikes when. */
import { FAULTS, type FaultKind, type FaultName, goTogether, needsCalm } from "./faults.ts";
import { createRandom, type Random } from "./random.ts";
import { type Lane, planLanes } from "./workloads.ts";

export interface PlannedFault {
  kind: FaultName;
  /** Since the start of the round. */
  atMs: number;
  lastsMs: number;
  /** In [0, 1): chooses one of the targets that the fault finds then. */
  pick: number;
}

/** Faults that overlap. All are healed before the next round. */
export interface Round {
  /** Whether the cluster must be healthy before and after the round. */
  calm: boolean;
  faults: readonly PlannedFault[];
  /** How long nothing happens after the round. */
  restMs: number;
}

export interface Plan {
  seed: number;
  seconds: number;
  lanes: readonly Lane[];
  rounds: readonly Round[];
}

type NamedKind = FaultKind & { name: FaultName };

const MOST_FAULTS = 5;
const SHORT_MS = 6_000;
const LONG_PERCENT = 30;
const STARTS_WITHIN_MS = 4_000;
/** Long enough for the kubelet to report a keeper's crash before the kubelet may be cut off: see goTogether. */
const REST_MS = [3_000, 6_000] as const;

export function planChaos(seed: number, seconds: number): Plan {
  const random = createRandom(seed);
  const lanes = planLanes(random);
  const rounds: Round[] = [];
  const bag: NamedKind[] = [];
  for (let plannedMs = 0; plannedMs < seconds * 1_000; ) {
    const kinds = drawTogether(random, bag);
    const round = planRound(random, kinds);
    rounds.push(round);
    plannedMs += lengthMs(round);
  }
  return { seed, seconds, lanes, rounds };
}

function lengthMs({ faults, restMs }: Round): number {
  return Math.max(...faults.map(({ atMs, lastsMs }) => atMs + lastsMs)) + restMs;
}

/** Draws the first kind in the bag, and others that go together with it. Every kind has its turn before any kind comes again. */
function drawTogether(random: Random, bag: NamedKind[]): NamedKind[] {
  if (bag.length === 0) {
    const tickets = FAULTS.flatMap((kind) => Array.from({ length: kind.weight ?? 1 }, () => kind));
    bag.push(...shuffle(random, tickets));
  }
  const count = random.between(1, MOST_FAULTS + 1);
  const drawn: NamedKind[] = [];
  for (let index = 0; index < bag.length && drawn.length < count; ) {
    const kind = bag[index];
    if (kind && drawn.every((other) => goTogether(kind, other))) drawn.push(...bag.splice(index, 1));
    else index++;
  }
  return drawn;
}

function planRound(random: Random, kinds: readonly NamedKind[]): Round {
  const lasting = kinds.map(({ name, lastsMs: [least, most] = [0, 0] }): PlannedFault => {
    const limitMs = random.percent(LONG_PERCENT) ? most : Math.min(most, least + SHORT_MS);
    const lastsMs = random.between(least, limitMs + 1);
    return { kind: name, atMs: random.between(0, STARTS_WITHIN_MS), lastsMs, pick: random.next() };
  });
  const endMs = Math.max(...lasting.map(({ atMs, lastsMs }) => atMs + lastsMs));
  // A fault that does not last may strike at any time of the round.
  const faults = lasting.map((fault) =>
    fault.lastsMs > 0 ? fault : { ...fault, atMs: random.between(0, endMs + 1) },
  );
  return {
    calm: kinds.some(needsCalm),
    faults: faults.toSorted((a, b) => a.atMs - b.atMs),
    restMs: random.between(...REST_MS),
  };
}

function shuffle<T>(random: Random, items: readonly T[]): T[] {
  const keyed = items.map((item) => ({ item, key: random.next() }));
  return keyed.toSorted((a, b) => a.key - b.key).map(({ item }) => item);
}

/** The plan as it is printed: the first line has the settings that repeat it. */
export function formatPlan({ seed, seconds, lanes, rounds }: Plan): string {
  const leases = new Set(lanes.map(({ lease }) => lease.name));
  const lines = rounds.flatMap(({ calm, faults, restMs }, index) => [
    `round ${index + 1}${calm ? ", when all is well" : ""}:`,
    ...faults.map(
      ({ kind, atMs, lastsMs }) =>
        `  +${inSeconds(atMs)}  ${kind}${lastsMs > 0 ? ` for ${inSeconds(lastsMs)}` : ""}`,
    ),
    `  then ${inSeconds(restMs)} of rest`,
  ]);
  return [
    `SEED=${seed} SECONDS=${seconds}: ${lanes.length} workloads take turns by ${leases.size} kleases`,
    ...lines,
    "",
  ].join("\n");
}

export function inSeconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

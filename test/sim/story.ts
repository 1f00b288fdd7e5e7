/** Stories are drawn from a seed, told in a world, and judged by what has happened in it. */

import { LEASES } from "../../src/kube/resources.ts";
import type { Lease } from "../../src/lease/types.ts";
import { anySignal } from "./any-signal.ts";
import { CONTROLLERS } from "./api/cluster.ts";
import { mendAll } from "./broken.ts";
import { violations } from "./check.ts";
import type { Event, Profile } from "./events/event.ts";
import { drawMs, KINDS } from "./events/kinds.ts";
import { BY_FORCE } from "./events/users.ts";
import { lookForIdleness } from "./idleness.ts";
import { LEASE_NAME, NAMESPACE, type PodWish } from "./pod-object.ts";
import { createRandom, type Random } from "./random.ts";
import { rest } from "./rest.ts";
import { createWorld, type World, type WorldOptions } from "./world.ts";

export interface Story {
  seed: number;
  replicas: number;
  apiServers: number;
  /** The initial ttl of the klease. */
  ttl: string;
  policy: Lease["spec"]["handoverPolicy"];
  events: Event[];
}

const EVENTS_UNTIL_MS = 60_000;

const PEOPLE = ["pod", "pod", "pod", "pod", "worker", "job"] as const;
const CLIENTS_ALONE = ["worker"] as const;

/** The subject of a story, if it is about less than everything. */
export interface DrawOptions {
  /** The only events of the story, which has one API server and by default one replica. */
  tale?: readonly Event[] | undefined;
  replicas?: number | undefined;
  /** The only kinds of events that may occur. */
  events?: readonly string[] | undefined;
  ttl?: string | undefined;
}

/** Draws the story of this seed. */
export function drawStory(
  seed: number,
  { tale, replicas, events: only, ttl = "15s" }: DrawOptions = {},
): Story {
  if (tale)
    return { seed, replicas: replicas ?? 1, apiServers: 1, ttl, policy: undefined, events: [...tale] };
  const random = createRandom(seed, 1);
  const profile: Profile = random.chance(0.65) ? "harsh" : "lease";
  const kinds = Object.entries(KINDS).filter(([, kind]) => (kind.profile ?? profile) === profile);
  const urn = only ?? kinds.flatMap(([name, { weight }]) => Array<string>(weight).fill(name));
  const draw = (atMs: number, what: string): Event => ({
    ...{ atMs, what },
    who: random.between(0, 5),
    ms: drawMs(random),
    kind: random.between(0, 41),
  });
  const events = Array.from({ length: urn.length > 0 ? random.between(1, 10) : 0 }, () =>
    draw(random.between(500, EVENTS_UNTIL_MS), random.pick(urn)),
  );
  const count = random.between(2, 5);
  const crowd = !only && random.chance(0.25) ? CLIENTS_ALONE : PEOPLE;
  for (let index = 0; index < count; index++) {
    // Most claimants come at once.
    const atMs = random.chance(0.6) ? random.between(100, 4_000) : random.between(4_000, EVENTS_UNTIL_MS);
    const what = random.pick<(typeof PEOPLE)[number]>(crowd);
    const event = draw(atMs, what);
    if (what === "worker") event.worker = drawWorker(random, index);
    else event.pod = drawPod(random, `${what}-${index}`, { isJobs: what === "job" });
    events.push(event);
  }
  if (!only) drawOnce(createRandom(seed, 4), events);
  if (!only) drawReplacement(createRandom(seed, 5), events, profile);
  events.sort((a, b) => a.atMs - b.atMs);
  return {
    seed,
    replicas: replicas ?? random.pick([1, 2, 2, 3]),
    apiServers: random.pick([1, 2, 3]),
    ttl,
    policy: random.pick([undefined, undefined, "AfterTermination"]),
    events,
  };
}

const KEYS = ["schema", "schema", "schema", "seed"];

/** In some stories work is done once. Drawn by a random of its own, so that all else of a story stays as it is. */
function drawOnce(random: Random, events: Event[]): void {
  if (!random.chance(0.5)) return;
  for (const event of [...events]) {
    const { worker, pod, what } = event;
    if (worker?.by === "exec") event.worker = { ...worker, once: random.pick(KEYS) };
    if (what === "job" && pod) {
      const { "if-held": _, "max-waiting": __, ...annotations } = pod.annotations;
      const gate = random.chance(0.5) ? "job" : "init";
      event.pod = { ...pod, annotations: { ...annotations, gate, once: random.pick(KEYS) } };
    }
    if (what !== "job" && what !== "worker") continue;
    // Somebody else comes later for the same work.
    if (!random.chance(0.4)) continue;
    const atMs = event.atMs + random.between(500, 20_000);
    const again = { ...event, atMs };
    if (event.worker) again.worker = { ...event.worker, name: `${event.worker.name}-later` };
    if (event.pod) again.pod = { ...event.pod, name: `${event.pod.name}-later` };
    events.push(again);
  }
  if (random.chance(0.2))
    events.push({ atMs: random.between(5_000, EVENTS_UNTIL_MS), what: "forgetWork", who: 0, ms: 0, kind: 0 });
}

/** In some stories a pod is created again under its name. Drawn by a random of its own as well. */
function drawReplacement(random: Random, events: Event[], profile: Profile): void {
  if (!random.chance(0.3)) return;
  events.push({
    ...{ atMs: random.between(3_000, EVENTS_UNTIL_MS), what: "replacePod" },
    ...{ who: random.between(0, 5), ms: random.between(0, 999) },
    kind: profile === "harsh" ? random.between(0, BY_FORCE) : 0,
  });
}

function drawPod(random: Random, name: string, { isJobs }: { isJobs: boolean }): PodWish {
  const isFlaky = random.chance(0.3);
  const annotations: Record<string, string> = {};
  const maybe = (probability: number, key: string, value: string) => {
    if (random.chance(probability)) annotations[key] = value;
  };
  maybe(0.3, "priority", String(random.between(0, 2)));
  maybe(0.3, "ttl", random.pick(["15s", "20s", "60s"]));
  maybe(0.15, "max-hold", "30s");
  maybe(0.2, "start-timeout", "8s");
  if (isJobs) {
    maybe(0.2, "if-held", "skip");
    maybe(0.3, "max-waiting", random.pick(["0", "1"]));
  } else {
    maybe(0.15, "gate", "scheduling");
    maybe(0.1, "renew", "false");
    maybe(0.1, "on-lost", "continue");
    if (annotations["gate"] === undefined) maybe(0.1, "if-held", "fail");
    // A pod that waits unscheduled has no gate that could be told of the end of its wait.
    maybe(0.1, "wait-timeout", "40s");
    if (annotations["gate"] !== undefined) delete annotations["wait-timeout"];
  }
  const restartPolicy = random.pick(["Never", "OnFailure"] as const);
  const worksForMs = random.pick([500, 4_000, 15_000, 40_000]);
  // A pod that restarts whenever its max-hold is over would never end; nor would one that fails first, if both runs do not fit into one hold.
  const isLimited = annotations["max-hold"] !== undefined || annotations["renew"] === "false";
  const isEndless = isLimited && restartPolicy === "OnFailure";
  const fitsMs = annotations["renew"] || isFlaky ? 4_000 : 15_000;
  return {
    ...{ name, annotations, restartPolicy },
    isRefused: annotations["gate"] === "scheduling" && random.chance(0.3),
    worksForMs: isEndless ? Math.min(worksForMs, fitsMs) : worksForMs,
    selfFencing: random.chance(0.7),
    graceSeconds: random.pick([0, 1, 3, 10, 30]),
    exitCodes: isFlaky ? [1, 0] : [],
    stopsWithinMs: random.pick([50, 900, 6_000, 20_000]),
    exitCodeAtTerm: random.pick([0, 143]),
    node: random.between(0, 2),
  };
}

function drawWorker(random: Random, index: number) {
  return {
    name: `worker-${index}`,
    by: random.pick(["exec", "exec", "script", "script", "kubectl"] as const),
    wallErrorMs: random.pick([0, 0, -7_200_000, 7_200_000]),
    timeoutMs: random.pick([0, 20_000, Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]),
    worksForMs: random.pick([500, 5_000, 30_000]),
    graceMs: 3_000,
    ...(random.chance(0.3) && { priority: random.between(0, 2) }),
    ...(random.chance(0.5) && { ttlMs: random.pick([15_000, 60_000]) }),
  };
}

export interface Told {
  world: World;
  violations: string[];
  /** The virtual time that the story took. */
  tookMs: number;
}

/** Tells the story until everything has come to rest. */
export async function tell(story: Story, options: Pick<WorldOptions, "off"> = {}): Promise<Told> {
  const { seed, replicas, apiServers, ttl, policy, events } = story;
  const chance = createRandom(seed, 3);
  const [random, any] = [Math.random, AbortSignal.any];
  // Math.random is the only source of chance that some of the code does not take as an argument.
  Math.random = chance.next;
  AbortSignal.any = anySignal;
  try {
    const world = createWorld({ seed, replicas, apiServers, ...options });
    const { scheduler, cluster } = world;
    const beganMs = scheduler.nowMs();
    const spec = { ttl, ...(policy && { handoverPolicy: policy }) };
    cluster.store.create(CONTROLLERS, LEASES, { metadata: { namespace: NAMESPACE, name: LEASE_NAME }, spec });
    for (const event of events) scheduler.after(event.atMs, () => happen(world, event));
    await scheduler.passUntil(beganMs + (events.at(-1)?.atMs ?? 0) + 5_000, () => {
      lookForIdleness(world);
      return false;
    });
    mendAll(world);
    await rest(world);
    return { world, violations: violations(world.history), tookMs: scheduler.nowMs() - beganMs };
  } finally {
    Math.random = random;
    AbortSignal.any = any;
  }
}

function happen(world: World, event: Event): void {
  const { what, pod, worker } = event;
  if (what === "pod" && pod) world.createPod(pod);
  else if (what === "job" && pod) world.createJob(pod.name, pod);
  else if (worker) world.createWorker(worker);
  else KINDS[what]?.act(world, event);
}

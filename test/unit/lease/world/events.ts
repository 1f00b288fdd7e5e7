/** What fast-check lets happen: events that do nothing where they make no sense, so that every sequence can be shortened. */
import fc from "fast-check";
import { podsOf } from "../../../../src/lease/hold.ts";
import type { JobView } from "../../../../src/lease/job.ts";
import { KINDS, type Kind } from "./arbiter.ts";
import { suspendedByUs } from "./job.ts";
import type { PodKind, TruePod } from "./pod.ts";
import { createWorld, settle, TTL_MS, type World, type WorldOptions } from "./world.ts";

const MAX_PODS = 3;
export const LONG_TTL_MS = 4 * TTL_MS;

export interface Event {
  what: string;
  /** Which arbiter; or which pod: the one that runs or holds (0), the first that does not (1), the last one (2). */
  who: number;
  /** How much, how often. */
  n: number;
}

type Action = (world: World, event: Event) => void;

function onPod(act: (world: World, pod: TruePod, n: number) => void): Action {
  return (world, { who, n }) => {
    const pod = podOf(world, who);
    if (pod) act(world, pod, n);
  };
}

function podOf({ api, pods }: World, who: number): TruePod | undefined {
  const holder = api.lease()?.status.hold?.ref.uid;
  const first =
    pods.find(({ main }) => main === "running") ?? pods.find(({ uid }) => uid === holder) ?? pods[0];
  return who === 0 ? first : who === 1 ? pods.find((pod) => pod !== first && !pod.over) : pods.at(-1);
}

const STEPS_MS = [250, 1_000, 3_000, 6_000, 11_000, 18_000];

function work({ node, arbiters }: World, pod: TruePod, n: number, seen: readonly Kind[]): void {
  for (let times = 0; times < 2 * n; times++) {
    node.gate(pod);
    for (const kind of seen) arbiters[0]?.sync(kind, Number.POSITIVE_INFINITY);
    arbiters[0]?.act();
  }
  node.startMain(pod);
}

const ordinary: Record<string, Action> = {
  pass: (world, { n }) => world.pass(STEPS_MS[n] ?? 0),
  gate: onPod(({ node }, pod) => node.gate(pod)),
  start: onPod(({ node }, pod) => node.startMain(pod)),
  complete: onPod(({ node }, pod) => node.exitMain(pod, 0)),
  fail: onPod(({ node }, pod) => node.exitMain(pod, 1)),
  restart: onPod(({ node }, pod) => node.restartMain(pod)),
  finish: onPod(({ node }, pod) => node.finish(pod)),
  deliver: onPod(({ node }, pod, n) => {
    for (let times = 0; times <= n; times++) node.deliver(pod);
  }),
  sync: ({ arbiters }, { who, n }) => arbiters[who % 2]?.sync(KINDS[n % KINDS.length] ?? "lease", 1 + n),
  syncAll: ({ arbiters }, { who }) => {
    for (const kind of KINDS) arbiters[who % 2]?.sync(kind, Number.POSITIVE_INFINITY);
  },
  act: ({ arbiters }, { who }) => arbiters[who % 2]?.act(),
  /** Everybody is quick and nobody is late: lets a short sequence come far. */
  work: onPod((world, pod, n) => work(world, pod, n, KINDS)),
  /** The same while the arbiter's watch of pods is stuck. */
  workBlindly: onPod((world, pod, n) => work(world, pod, n, ["lease", "requests"])),
  replaceArbiter: ({ arbiters }, { who }) => arbiters[who % 2]?.replace(),
  loseSandbox: onPod(({ node }, pod) => node.loseSandbox(pod)),
  crashKeeper: onPod(({ node }, pod) => node.crashKeeper(pod)),
  restartKeeper: onPod(({ node }, pod) => node.restartKeeper(pod)),
  mute: onPod((_, pod) => {
    pod.muted = true;
  }),
  unmute: onPod((_, pod) => {
    pod.muted = false;
  }),
  deafen: onPod((_, pod) => {
    pod.deaf = true;
  }),
  hear: onPod((_, pod) => {
    pod.deaf = false;
  }),
  changeTtl: ({ api }, { n }) => api.changeLease({ ttlMs: n % 2 === 0 ? TTL_MS : LONG_TTL_MS }),
  force: ({ api }) => {
    const hold = api.lease()?.status.hold;
    // Of a pod that is not to be seen the admin's word is taken, true or not.
    const isSeen = hold && podsOf(hold).every(({ uid }) => api.pods().has(uid));
    if (hold && isSeen) api.changeLease({ forced: { token: hold.token, by: "admin", now: false } });
  },
  delete: onPod(({ api }, { uid }) => {
    const pod = api.pods().get(uid);
    if (pod && pod.deletionMs === undefined) api.putPod({ ...pod, deletionMs: 1 });
  }),
  observeDeletion: onPod(({ node }, pod) => node.observeDeletion(pod)),
  lateAcquire: onPod(({ replica }, pod) => replica.acquireLate(pod)),
  deleteRequest: onPod(({ api }, { uid }) => {
    const request = [...api.requests().values()].find(({ spec }) => spec.ref?.uid === uid);
    if (request) api.deleteRequest(request.uid);
  }),
};

const harsh: Record<string, Action> = {
  cut: onPod((_, pod) => {
    if (pod.node === "up") pod.node = "cut";
  }),
  heal: onPod((_, pod) => {
    if (pod.node === "cut") pod.node = "up";
  }),
  die: onPod((_, pod) => {
    pod.node = "dead";
  }),
  taint: onPod(({ taints, api }, pod) => {
    if (pod.node !== "dead") return;
    taints.add(pod.uid);
    api.removePod(pod.uid);
  }),
  forceDelete: onPod(({ api }, { uid, node, keeper }) => {
    const lease = api.lease();
    const isForced = lease?.forced !== undefined && lease.forced.token === lease.status.hold?.token;
    if (!isForced && (node !== "cut" || keeper !== "down")) api.removePod(uid);
  }),
};

const recreation: Record<string, Action> = {
  deleteLease: ({ api }) => {
    // Both the Lease and the only trace of its holder deleted by hand: left out.
    const uid = api.lease()?.status.hold?.ref.uid;
    const isTraced = [...api.requests().values()].some(
      ({ spec, status }) => spec.ref?.uid === uid && status.token,
    );
    if (uid === undefined || isTraced) api.deleteLease();
  },
};

function onJob(act: (world: World, job: JobView) => void): Action {
  return (world, { who }) => {
    const views = [...world.api.jobs().values()];
    const view = views[who % Math.max(1, views.length)];
    if (view) act(world, view);
  };
}

const jobs: Record<string, Action> = {
  /** Everybody is quick and nobody is late. */
  workJobs: (world, { n }) => {
    for (let times = 0; times <= n; times++) {
      for (const kind of KINDS) world.arbiters[0]?.sync(kind, Number.POSITIVE_INFINITY);
      world.arbiters[0]?.act();
      world.control();
      for (const pod of world.pods) {
        world.node.gate(pod);
        world.node.startMain(pod);
      }
    }
  },
  control: (world) => world.control(),
  suspendJob: onJob(({ api }, view) => {
    if (!view.suspended) api.putJob({ ...view, suspended: true });
  }),
  resumeJob: onJob(({ api }, view) => {
    if (view.suspended) api.putJob(suspendedByUs(view));
  }),
  deleteJob: onJob(({ api }, { uid }) => api.removeJob(uid)),
};

/** What happens, with pods alone and with two Jobs and a pod: deleting the Lease under holders that cannot be reached is an admin's word that is believed. */
export const PROFILES = {
  faults: { ...ordinary, ...harsh },
  recreation: (({ deleteRequest: _, ...others }) => ({ ...others, ...recreation }))(ordinary),
  jobs: { ...ordinary, ...harsh, ...jobs },
  recreatedJobs: (({ deleteRequest: _, ...others }) => ({ ...others, ...recreation, ...jobs }))(ordinary),
};
export type Profile = keyof typeof PROFILES;

export interface Story {
  pods: PodKind[];
  /** Whether it begins with one that runs and the others waiting, as most of what is interesting does. */
  isUnderWay: boolean;
  events: Event[];
}

const podKind: fc.Arbitrary<PodKind> = fc
  .record({
    selfFencing: fc.boolean(),
    restartPolicy: fc.constantFrom("Never" as const, "OnFailure" as const),
    priority: fc.option(fc.integer({ min: 0, max: 2 }), { nil: undefined }),
  })
  .map(({ priority, ...kind }) => ({ ...kind, ...(priority !== undefined && { priority }) }));

// Progress has to be likely, or nobody would ever hold.
const LIKELY = [
  "work",
  "work",
  "work",
  "work",
  "pass",
  "pass",
  "syncAll",
  "act",
  "deliver",
  "deliver",
  "fail",
];

const LIKELY_WITH_JOBS = ["workJobs", "workJobs", "workJobs", "control", "suspendJob"];

const withJobs = (profile: Profile) => profile === "jobs" || profile === "recreatedJobs";

/** `only`: of these events, where a few would hardly ever meet among all. */
export function stories(profile: Profile, only?: readonly string[]): fc.Arbitrary<Story> {
  const likely = withJobs(profile) ? [...LIKELY, ...LIKELY_WITH_JOBS] : LIKELY;
  const names = only ?? [...likely, ...Object.keys(PROFILES[profile])];
  const far = fc.oneof(
    { weight: 1, arbitrary: fc.constant(5) },
    { weight: 2, arbitrary: fc.nat({ max: 5 }) },
  );
  const event = fc.record({
    what: fc.constantFrom(...names),
    who: fc.nat({ max: MAX_PODS - 1 }),
    n: far,
  });
  return fc.record({
    pods: fc.array(podKind, { minLength: 2, maxLength: MAX_PODS }),
    isUnderWay: fc.integer({ min: 0, max: 9 }).map((n) => n < 9),
    events: fc.array(event, { minLength: 1, maxLength: 60, size: "max" }),
  });
}

/** Lets the story happen and everything come to rest; throws when an invariant is broken. */
export function tell(
  { pods, isUnderWay, events }: Story,
  profile: Profile,
  options: WorldOptions = {},
): World {
  const world = createWorld(options);
  const actions: Record<string, Action> = PROFILES[profile];
  for (const [index, kind] of pods.entries()) {
    if (withJobs(profile) && index < 2) world.createJob(kind);
    else world.create(kind);
  }
  const prologue = isUnderWay
    ? [
        ...(withJobs(profile) ? [{ what: "workJobs", who: 0, n: 9 }] : []),
        { what: "work", who: 0, n: 4 },
        { what: "work", who: 1, n: 1 },
        { what: "work", who: 2, n: 1 },
      ]
    : [];
  for (const event of [...prologue, ...events]) {
    actions[event.what]?.(world, event);
    world.check();
  }
  settle(world);
  return world;
}

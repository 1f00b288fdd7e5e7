/** What fast-check lets happen: events that do nothing where they make no sense, so that every sequence can be shortened. */
import fc from "fast-check";
import { KINDS } from "./arbiter.ts";
import type { ClientKind, TrueClient } from "./client.ts";
import { settle } from "./settle.ts";
import { createWorld, LONG_TTL_MS, TTL_MS, type World, type WorldOptions } from "./world.ts";

const MAX_CLIENTS = 4;

export interface Event {
  what: string;
  /** Which arbiter; or which client: the one that runs or holds (0), the first other (1), the last one (2), any (3). */
  who: number;
  /** How much, how often. */
  n: number;
}

type Action = (world: World, event: Event) => void;

function onClient(act: (world: World, client: TrueClient, n: number) => void): Action {
  return (world, { who, n }) => {
    const client = clientOf(world, who, n);
    if (client) act(world, client, n);
  };
}

function clientOf({ api, clients }: World, who: number, n: number): TrueClient | undefined {
  const hold = api.lease()?.status.hold;
  const first =
    clients.find(({ state }) => state === "runs") ??
    clients.find(({ uid }) => hold && uid === hold.ref.uid) ??
    clients[0];
  const others = clients.filter((client) => client !== first);
  return [first, others[0], others.at(-1), clients[n % clients.length]][who];
}

const STEPS_MS = [250, 1_000, 3_000, 6_000, 11_000, 18_000];
const TTLS_MS = [TTL_MS, LONG_TTL_MS];

function syncAll({ arbiters }: World, who: number): void {
  for (const kind of KINDS) arbiters[who % 2]?.sync(kind, Number.POSITIVE_INFINITY);
}

const ACTIONS: Record<string, Action> = {
  pass: (world, { n }) => world.pass(STEPS_MS[n] ?? 0),
  ask: onClient(({ they }, client) => they.ask(client)),
  look: onClient(({ they }, client, n) => they.look(client, n < 4 ? 1 + n : Number.POSITIVE_INFINITY)),
  renew: onClient(({ they }, client) => they.renew(client, true)),
  renewUnheard: onClient(({ they }, client) => they.renew(client, false)),
  release: onClient(({ they }, client) => they.release(client)),
  crash: onClient(({ they }, client) => they.crash(client)),
  cut: onClient((_, client) => {
    client.isCut = true;
  }),
  heal: onClient((_, client) => {
    client.isCut = false;
  }),
  sync: ({ arbiters }, { who, n }) => arbiters[who % 2]?.sync(KINDS[n % 2] ?? "leases", 1 + n),
  syncAll: (world, { who }) => syncAll(world, who),
  act: ({ arbiters }, { who }) => arbiters[who % 2]?.act(),
  replaceArbiter: ({ arbiters }, { who }) => arbiters[who % 2]?.replace(),
  /** Everybody is quick and nobody is late: lets a short sequence come far. */
  work: onClient((world, client, n) => {
    if (client.state === "runs") world.they.renew(client, true);
    else world.they.ask(client);
    for (let times = 0; times < 2 * n; times++) {
      syncAll(world, 0);
      world.arbiters[0]?.act();
      world.they.look(client, Number.POSITIVE_INFINITY);
      if (client.state === "granted" && !client.sent) world.they.renew(client, true);
    }
  }),
  /** An arbiter does all that it sees to be done. */
  arbitrate: ({ arbiters }, { who, n }) => {
    for (let times = 0; times < 2 * n; times++) arbiters[who % 2]?.act();
  },
  changeTtl: ({ api }, { n }) => api.changeLease({ spec: { ttlMs: TTLS_MS[n % 2] ?? TTL_MS } }),
  changeRenewable: ({ api }, { n }) => api.changeLease({ spec: { renewable: n % 2 === 1 } }),
  deleteLease: ({ api }) => api.deleteLease(),
  createLease: (world) => world.createLease(),
  force: (world, { n }) => world.force(n % 2 === 0),
};

export interface Story {
  clients: ClientKind[];
  clockErrorsMs: number[];
  /** Whether it begins with one that runs and others that wait, as most of what is interesting does. */
  isUnderWay: boolean;
  events: Event[];
}

const clientKind: fc.Arbitrary<ClientKind> = fc
  .record({
    asks: fc.constantFrom("once" as const, "waits" as const, "patiently" as const, "plain" as const),
    priority: fc.option(fc.integer({ min: 0, max: 2 }), { nil: undefined }),
    ttlMs: fc.option(fc.constantFrom(...TTLS_MS), { nil: undefined }),
  })
  .map(({ asks, priority, ttlMs }) => ({
    asks,
    ...(priority !== undefined && { priority }),
    ...(ttlMs !== undefined && { ttlMs }),
  }));

// Progress has to be likely, or nobody would ever hold.
const LIKELY = [
  "work",
  "work",
  "work",
  "pass",
  "pass",
  "syncAll",
  "act",
  "arbitrate",
  "look",
  "renew",
  "ask",
];

/** `only`: of these events, where a few would hardly ever meet among all. */
export function stories(only?: readonly string[]): fc.Arbitrary<Story> {
  const names = only ?? [...LIKELY, ...Object.keys(ACTIONS)];
  const far = fc.oneof(
    { weight: 1, arbitrary: fc.constant(5) },
    { weight: 2, arbitrary: fc.nat({ max: 5 }) },
  );
  const event = fc.record({ what: fc.constantFrom(...names), who: fc.nat({ max: 3 }), n: far });
  const errorMs = fc.constantFrom(0, 0, -3_000, 3_000);
  return fc.record({
    clients: fc.array(clientKind, { minLength: 2, maxLength: MAX_CLIENTS }),
    clockErrorsMs: fc.tuple(errorMs, errorMs).map((errors) => [...errors]),
    isUnderWay: fc.integer({ min: 0, max: 9 }).map((n) => n < 9),
    events: fc.array(event, { minLength: 1, maxLength: 60, size: "max" }),
  });
}

/** Lets the story happen and everything come to rest; throws when an invariant is broken. */
export function tell(
  { clients, clockErrorsMs, isUnderWay, events }: Story,
  options: Omit<WorldOptions, "clockErrorsMs"> = {},
): World {
  const world = createWorld(clients, { ...options, clockErrorsMs });
  const prologue = isUnderWay
    ? [
        { what: "work", who: 0, n: 4 },
        { what: "ask", who: 1, n: 0 },
        { what: "ask", who: 2, n: 0 },
      ]
    : [];
  for (const event of [...prologue, ...events]) {
    ACTIONS[event.what]?.(world, event);
    world.check();
  }
  settle(world);
  return world;
}

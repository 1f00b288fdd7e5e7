import { expect, test } from "vitest";
import { createReplicaStrikes } from "../../chaos/replica-strikes.ts";
import type { Target } from "../../chaos/targets.ts";
import type { Cut } from "../../cluster/cluster.ts";
import type { ApiConnection } from "../../cluster/network/connections.ts";

const replica = (name: string, isReady = true): Target => {
  const container = { name: "konductor", id: name, state: "running", isReady, fencedMs: undefined } as const;
  const identity = { namespace: "konductor-system", name, uid: name, resourceVersion: "1" };
  const pod = { ...identity, ip: `ip-of-${name}`, phase: "Running", lease: undefined, isEnding: false };
  return { pod: { ...pod, containers: [container] }, container };
};
const WATCH: ApiConnection = { podPort: 1, requestedAgoMs: 3_000, answeredAgoMs: 100 };
const CONNECTIONS: ApiConnection[] = [
  { podPort: 2, requestedAgoMs: 3_000, answeredAgoMs: 2_990 },
  WATCH,
  { podPort: 3, requestedAgoMs: 6_000, answeredAgoMs: 1_000 },
];

function strikesAt(replicas: Target[], connections = CONNECTIONS) {
  const cuts: (Cut | "healed")[] = [];
  const strikes = createReplicaStrikes(
    {
      signalContainer: async () => undefined,
      apiConnections: async () => connections,
      async partition(...made) {
        cuts.push(...made);
        return async () => void cuts.push("healed");
      },
    },
    { replicas: () => replicas, arbiter: () => [], holders: () => [] },
  );
  return { strikes, cuts };
}

test.for([
  ["cut of a replica from the API server", { podIp: "ip-of-b", peerIp: "198.19.0.1" }],
  ["stall of a replica's watch", { podIp: "ip-of-b", podPort: 1 }],
] as const)("%s strikes one replica, and is healed by its own handle", async ([kind, cut]) => {
  const { strikes, cuts } = strikesAt([replica("a"), replica("b")]);
  const struck = await strikes[kind](0.7);
  expect(struck?.pods).toEqual(["b"]);
  expect(cuts).toEqual([cut]);
  await struck?.heal?.();
  expect(cuts).toEqual([cut, "healed"]);
});

test.for(["cut of a replica from the API server", "stall of a replica's watch"] as const)(
  "%s strikes nobody unless another replica is Ready",
  async (kind) => {
    const { strikes, cuts } = strikesAt([replica("a"), replica("b", false)]);
    expect(await strikes[kind](0.7)).toBeUndefined();
    expect(cuts).toEqual([]);
  },
);

test("a connection is stalled only while it carries a watch", async () => {
  const others = CONNECTIONS.filter((each) => each !== WATCH);
  const { strikes, cuts } = strikesAt([replica("a"), replica("b")], others);
  expect(await strikes["stall of a replica's watch"](0)).toBeUndefined();
  expect(cuts).toEqual([]);
});

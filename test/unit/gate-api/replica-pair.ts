import { runGate } from "../../../src/gate/waiting/gate.ts";
import { LEASE_REQUESTS, LEASES, PODS } from "../../../src/kube/resources.ts";
import { parseLease } from "../../../src/lease/codec.ts";
import { requestName } from "../../../src/lease/naming.ts";
import type { Hold } from "../../../src/lease/types.ts";
import { LEASE_LABEL } from "../../../src/shared/names.ts";
import type { Certificate } from "../gate/certificates.ts";
import { spreadingProxy } from "../gate/spreading-proxy.ts";
import { LEASE, openStage, type Stage } from "../gate/stage.ts";
import { memoryApi } from "./memory-api.ts";
import { type Replica, startReplica } from "./replica.ts";

export const TTL_MS = 15_000;
export const POD = { namespace: "a", name: "me", uid: "me", serviceAccount: "default" };
const REF = { namespace: POD.namespace, name: LEASE };

/** Two replicas behind one address, and the gate or keeper of a pod that waits for a klease. */
export interface ReplicaPair {
  stage: Stage;
  /** The replica that the test makes ill. */
  ill: Replica;
  other: Replica;
  /** Leads the first `connections` connections to the ill replica, and all later ones to the other. */
  meetIllFirst(connections: number): void;
  hold(): Hold | undefined;
  /** Grants as the arbiter does. */
  grant(holder: string, token: number, more?: object): void;
  /** Turns the clock until `holds` or for `ms`, slowly enough for connections to be made. */
  turnUntil(holds: () => boolean, ms: number, stepMs?: number): Promise<void>;
  /** Starts the gate while somebody else holds. Resolves once the gate has learned that, with a function that returns its exit code after its end. */
  waitAtGate(): Promise<() => number | undefined>;
  close(): Promise<void>;
}

/** `connections` is each replica's limit. */
export async function openReplicaPair(certificate: Certificate, connections = 1_000): Promise<ReplicaPair> {
  let toIll = 0;
  const urls: string[] = [];
  const proxy = await spreadingProxy((connection) => {
    const server = connection < toIll ? 0 : 1;
    return { server, url: urls[server] };
  });
  const stage = await openStage(certificate, { url: proxy.url });
  const { clock } = stage;
  const api = memoryApi(clock);
  api.put(LEASES, { metadata: { ...REF, uid: "lease" }, spec: { ttl: "15s" }, status: {} });
  api.put(PODS, {
    metadata: { ...POD, labels: { [LEASE_LABEL]: LEASE } },
    spec: { nodeName: "n", containers: [{ name: "main" }] },
    status: { phase: "Pending" },
  });
  const ref = { kind: "Pod", uid: POD.uid } as const;
  api.put(LEASE_REQUESTS, {
    metadata: { namespace: POD.namespace, name: requestName(LEASE, ref), uid: "request" },
    spec: { lease: LEASE, holder: POD.name, holderRef: { ...ref, name: POD.name } },
    status: { phase: "Pending" },
  });
  const start = () => startReplica({ link: api.link(), clock, certificate, caller: POD, connections });
  const [ill, other] = await Promise.all([start(), start()]);
  urls.push(ill.url, other.url);

  function grant(holder: string, token: number, more: object = {}): void {
    const nowMs = clock.nowMs();
    api.change(LEASES, REF, (status) => ({
      ...status,
      phase: "Held",
      holder,
      holderRef: { kind: "Pod", name: holder, uid: holder },
      acquired: new Date(nowMs).toISOString(),
      expires: new Date(nowMs + TTL_MS).toISOString(),
      holdTtlMs: TTL_MS,
      fencingToken: token,
      renewals: 0,
      confirmed: false,
      ...more,
    }));
  }

  async function turnUntil(holds: () => boolean, ms: number, stepMs = 20): Promise<void> {
    for (let turned = 0; !holds() && turned < ms; turned += stepMs) {
      await clock.turn(stepMs);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  return {
    stage,
    ill,
    other,
    meetIllFirst(connections) {
      toIll = connections;
    },
    hold: () => api.read(LEASES, REF, parseLease).status.hold,
    grant,
    turnUntil,
    async waitAtGate() {
      grant("somebody", 41, { confirmed: true });
      let code: number | undefined;
      void runGate(stage.context, stage.termination.signal).then((ended) => {
        code = ended;
      });
      await turnUntil(() => stage.lines.join().includes("held by somebody"), 5_000);
      return () => code;
    },
    async close() {
      await stage.close();
      await proxy.close();
      await Promise.all([ill.close(), other.close()]);
    },
  };
}

/** API servers in memory: one store, and the Kubernetes controllers on which konductor relies. */
import type { Resource } from "../../../src/kube/resources.ts";
import { JOBS, LEASE_REQUESTS, NAMESPACES, PODS } from "../../../src/kube/resources.ts";
import { list as array, record, text } from "../../../src/shared/json.ts";
import type { Scheduler } from "../scheduler.ts";
import { type ApiServer, createApiServer } from "./line.ts";
import { Refused } from "./refused.ts";
import type { Json } from "./rules.ts";
import { createStore, type Review, type Store } from "./store.ts";

export interface Cluster {
  scheduler: Scheduler;
  store: Store;
  servers: readonly ApiServer[];
}

export const CONTROLLERS = "system:kube-controller-manager";
const COLLECTED_AFTER_MS = 200;

export function createCluster(
  scheduler: Scheduler,
  { servers: count = 1, admit }: { servers?: number; admit?: (review: Review) => Json } = {},
): Cluster {
  const store = createStore({ nowMs: scheduler.nowMs, ...(admit && { admit }) });
  const servers = Array.from({ length: count }, createApiServer);
  for (const server of servers) server.oldestVersion = store.version();
  store.onChange(() => {
    for (const { pumps } of servers) for (const pump of [...pumps]) pump();
  });
  collectGarbage({ scheduler, store, servers });
  return { scheduler, store, servers };
}

/** Deletes requests of pods and Jobs, and pods of Jobs, with their owners, and those whose owner was already gone. */
function collectGarbage({ scheduler, store }: Cluster): void {
  const owned: readonly Resource[] = [LEASE_REQUESTS, PODS];
  const ownersOf = (object: Json) => array(record(object["metadata"])["ownerReferences"]).map(record);

  function collect(resource: Resource, object: Json): void {
    scheduler.after(COLLECTED_AFTER_MS, () => {
      const { namespace, name, uid } = record(object["metadata"]);
      const ref = { namespace: text(namespace), name: text(name) ?? "" };
      const found = store.find(resource, ref);
      if (record(found?.["metadata"])["uid"] !== uid) return;
      try {
        store.remove(CONTROLLERS, resource, ref, { uid: text(uid) });
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
      }
    });
  }

  const gone = new Set<unknown>();
  store.onChange(({ type, resource, object }) => {
    if (type === "DELETED" && resource !== NAMESPACES) {
      const { uid } = record(object["metadata"]);
      gone.add(uid);
      for (const dependent of owned)
        for (const candidate of store.list(dependent))
          if (ownersOf(candidate).some((owner) => owner["uid"] === uid)) collect(dependent, candidate);
    }
    if (type === "ADDED" && owned.includes(resource)) {
      const isOrphan = ownersOf(object).some(
        ({ uid, kind, name }) => gone.has(uid) || isMissing(store, object, String(kind), String(name), uid),
      );
      if (isOrphan) collect(resource, object);
    }
  });
}

function isMissing(store: Store, object: Json, kind: string, name: string, uid: unknown): boolean {
  const resource = [PODS, JOBS].find((candidate) => candidate.kind === kind);
  if (!resource) return false;
  const found = store.find(resource, { namespace: text(record(object["metadata"])["namespace"]), name });
  return record(found?.["metadata"])["uid"] !== uid;
}

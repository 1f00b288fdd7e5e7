/** Writes to Leases what konductor would write, for as long as no konductor runs: the shared API server has none. */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import type { KubeClient } from "../../../src/kube/api.ts";
import { LEASE_REQUESTS, LEASES } from "../../../src/kube/resources.ts";
import { parseLease, parseLeaseRequest } from "../../../src/lease/codec.ts";
import { grantHold, holderRefOf, nextToken } from "../../../src/lease/grant.ts";
import { endHold } from "../../../src/lease/hold.ts";
import type { EndReason, Lease, LeaseStatus } from "../../../src/lease/types.ts";
import { createLease, writeLeaseStatus } from "../../../src/objects/lease-objects.ts";
import { list, record } from "../../../src/shared/json.ts";
import { accountName } from "../../../src/shared/names.ts";
import { adminClient } from "../../e2e/admin-client.ts";
import type { SharedCluster } from "../global-setup.ts";

export interface Holds {
  newLease(name: string): Promise<void>;
  lease(name: string): Promise<Lease>;
  /** `holder` asks for the Lease. */
  ask(name: string, holder: string): Promise<void>;
  /** Grants it to `holder`, which has asked. */
  grant(name: string, holder: string): Promise<void>;
  /** Ends the present hold. */
  end(name: string, reason: EndReason): Promise<void>;
  /** Changes the status in another way. */
  change(name: string, change: Partial<LeaseStatus>): Promise<void>;
  close(): Promise<void>;
}

/** A client with konductor's own rights, writing in `namespace`. `dir` is for its kubeconfig. */
export async function openHolds(cluster: SharedCluster, namespace: string, dir: string): Promise<Holds> {
  const kubeconfigPath = join(dir, "konductor.kubeconfig");
  const config = record(parse(await readFile(cluster.kubeconfigPath, "utf8")));
  const users = list(config["users"])
    .map(record)
    .map((entry) => ({
      ...entry,
      user: { ...record(entry["user"]), as: accountName("konductor-system") },
    }));
  await writeFile(kubeconfigPath, JSON.stringify({ ...config, users }), { mode: 0o600 });
  const admin = adminClient(cluster);
  const konductor: KubeClient = adminClient({ kubeconfigPath });

  const read = (name: string) => konductor.get(LEASES, { namespace, name }, parseLease);
  const write = async (name: string, next: (lease: Lease) => LeaseStatus) => {
    const lease = await read(name);
    await writeLeaseStatus(konductor, lease, next(lease), Date.now());
  };
  const requestName = (lease: string, holder: string) =>
    `${lease}-${holder}`
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, "-")
      .replace(/-$/, "");

  return {
    async newLease(name) {
      await createLease(konductor, { namespace, name, ttlMs: 60_000 });
    },
    lease: read,
    async ask(lease, holder) {
      const metadata = { namespace, name: requestName(lease, holder) };
      await admin.create(LEASE_REQUESTS, { metadata, spec: { lease, holder } });
    },
    async grant(name, holder) {
      const key = { namespace, name: requestName(name, holder) };
      const request = await konductor.get(LEASE_REQUESTS, key, parseLeaseRequest);
      const ref = holderRefOf(request, undefined);
      await write(name, (lease) => {
        const token = nextToken(lease, [], Date.now());
        return grantHold(lease.status, { request, ref, token, ttlMs: 60_000 }, Date.now());
      });
    },
    async end(name, reason) {
      const holder = (await read(name)).status.hold?.holder ?? "";
      await write(name, (lease) => endHold(lease, reason, Date.now()));
      await konductor.delete(LEASE_REQUESTS, { namespace, name: requestName(name, holder) });
    },
    change: (name, change) => write(name, ({ status }) => ({ ...status, ...change })),
    async close() {
      await Promise.all([admin.close(), konductor.close()]);
    },
  };
}

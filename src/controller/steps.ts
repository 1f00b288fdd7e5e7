/** The steps on objects other than the Lease, each an errand: none stops another, and no time limit waits for a refused one. */
import { isDeepStrictEqual } from "node:util";
import type { KubeClient } from "../kube/api.ts";
import { find } from "../kube/find.ts";
import { LEASE_REQUESTS } from "../kube/resources.ts";
import { parseLeaseRequest } from "../lease/codec.ts";
import type { Step } from "../lease/decision.ts";
import { holdOf } from "../lease/hold.ts";
import { aboutClaimant, aboutRequest } from "../lease/log-fields.ts";
import { type ClaimantRef, type HolderRef, keyOf, type Lease, type LeaseRequest } from "../lease/types.ts";
import type { Caches } from "../objects/caches.ts";
import { writeRequestStatus } from "../objects/lease-objects.ts";
import type { LeaseReporter } from "../objects/lease-reporter.ts";
import { findLease } from "../objects/live-objects.ts";
import { deletePod } from "../objects/pod-deletion.ts";
import { removeSchedulingGate } from "../objects/scheduling-gate.ts";
import type { Clock } from "../shared/clock.ts";
import { hasCode } from "../shared/errors.ts";
import type { Errands } from "./errands.ts";
import type { EvidenceStore } from "./evidence-store.ts";
import type { LiveRequests } from "./live-requests.ts";
import type { WaitingJobs } from "./waiting-jobs.ts";

export interface StepsOptions {
  client: KubeClient;
  caches: Pick<Caches, "leases" | "requests">;
  reporter: LeaseReporter;
  errands: Errands;
  evidence: EvidenceStore;
  liveRequests: LiveRequests;
  waitingJobs: WaitingJobs;
  clock: Clock;
}

/** Each resolves with whether it is done. If it is not, whoever asks for it again tries it again. */
export interface Steps {
  take(step: Step, lease: Lease): Promise<boolean>;
  retire(request: LeaseRequest): Promise<boolean>;
  /** Writes a status that is right for any version of this very request, because the cache may lag. */
  mark(what: string, request: LeaseRequest, status: LeaseRequest["status"]): Promise<boolean>;
}

/** More claimants than this are looked at by one list: were each asked for, the first answers would be outdated when the last ones come. */
const LOOKED_AT_BY_ONE = 8;

export function createSteps(options: StepsOptions): Steps {
  const { client, caches, reporter, errands, evidence, liveRequests, waitingJobs, clock } = options;

  async function write(request: LeaseRequest, status: LeaseRequest["status"]): Promise<void> {
    if (isDeepStrictEqual(request.status, status)) return;
    try {
      caches.requests.apply(await writeRequestStatus(client, request, status, clock.nowMs()));
    } catch (error) {
      if (!hasCode(error, "Conflict", "NotFound")) throw error;
      const live = await find(client, LEASE_REQUESTS, request, parseLeaseRequest);
      if (live) caches.requests.apply(live);
      if (live?.uid === request.uid)
        caches.requests.apply(await writeRequestStatus(client, live, status, clock.nowMs()));
    }
  }

  /** What the cache shows of an expired or revoked hold may be long over: the caller has just read the Lease live. */
  async function deleteHolder(lease: Lease, ref: HolderRef): Promise<void> {
    const cached = lease.status.hold;
    const hold =
      cached && holdOf(caches.leases.store.get(keyOf(lease)), { uid: ref.uid, token: cached.token });
    if (!hold || (!hold.expired && !hold.revoked)) return;
    if (await deletePod(client, { namespace: lease.namespace, ...ref })) reporter.holderDeleted(lease, ref);
  }

  /** Takes the scheduling gate from the holder's pod if, once the pod was read, the Lease still says that it holds. */
  async function ungate(lease: Lease, { name, uid }: ClaimantRef): Promise<void> {
    const { token } = lease.status.hold ?? {};
    if (token === undefined) return;
    const holds = async () =>
      holdOf(await findLease(client, caches.leases, lease), { uid, token }) !== undefined;
    await removeSchedulingGate(client, { namespace: lease.namespace, name, uid }, holds);
  }

  /** Looks at many by one list. Resolves with whom to ask for one by one: those who are not in it, or all if it fails; undefined: not yet. */
  async function listed(
    lease: Lease,
    refs: readonly ClaimantRef[],
  ): Promise<readonly ClaimantRef[] | undefined> {
    const list = { key: keyOf(lease), what: "list pods", uid: lease.uid };
    const hasFailed = errands.isStuck(list) && !errands.rests(list);
    if (refs.length <= LOOKED_AT_BY_ONE || hasFailed) return refs;
    let left: readonly ClaimantRef[] | undefined;
    await errands.run(list, async () => {
      left = await evidence.lookAtAll(lease, refs);
    });
    return left;
  }

  return {
    async take(step, lease) {
      const { namespace } = lease;
      const run = (ref: ClaimantRef, work: () => Promise<unknown>) => {
        const about = aboutClaimant(lease.name, ref);
        return errands.run({ key: keyOf(lease), what: step.do, uid: ref.uid, about }, work);
      };
      switch (step.do) {
        case "look": {
          const left = await listed(lease, [step.at, ...(step.others ?? [])]);
          if (!left) return false;
          return errands.runEach(left, (ref) =>
            run(ref, () =>
              ref.kind === "LeaseRequest" ? liveRequests.look(namespace, ref) : evidence.look(namespace, ref),
            ),
          );
        }
        case "ungate":
          return run(step.ref, () => ungate(lease, step.ref));
        case "resume":
        case "suspend":
          return run(step.ref, () => waitingJobs.steer(step.do, lease, step.ref));
        case "deletePod":
          return run(step.ref, () => deleteHolder(lease, step.ref));
      }
    },
    retire: (request) =>
      errands.run(
        { key: leaseKeyOf(request), what: "retire", uid: request.uid, about: aboutRequest(request) },
        () => liveRequests.remove(request),
      ),
    mark: (what, request, status) =>
      errands.run({ key: leaseKeyOf(request), what, uid: request.uid, about: aboutRequest(request) }, () =>
        write(request, status),
      ),
  };
}

const leaseKeyOf = ({ namespace, spec }: LeaseRequest) => keyOf({ namespace, name: spec.lease });

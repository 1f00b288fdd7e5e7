import { integer, record, text } from "../shared/json.ts";
import { OFFERED_ANNOTATION } from "../shared/names.ts";
import { microTime } from "../shared/times.ts";
import type { ObjectRef } from "./api.ts";

/** What a coordination.k8s.io Lease says about an election. */
export interface ElectionRecord {
  /** Empty after a release. */
  holder: string;
  /** How long after a change of the record others must leave it alone; undefined where nobody said so. */
  durationMs: number | undefined;
  /** Set while its holder cannot do the work: who asks for the lead, or "" as long as nobody does. */
  offeredTo: string | undefined;
  /** Differs after every write of the record; labels and the like do not count. */
  fingerprint: string;
  /** The whole object as it was read: a write keeps what it does not know. */
  object: Record<string, unknown>;
}

export function parseElectionRecord(value: unknown): ElectionRecord {
  const object = record(value);
  const spec = record(object["spec"]);
  const seconds = integer(spec["leaseDurationSeconds"]);
  return {
    holder: text(spec["holderIdentity"]) ?? "",
    durationMs: seconds === undefined ? undefined : seconds * 1000,
    offeredTo: text(annotationsOf(object)[OFFERED_ANNOTATION]),
    fingerprint: JSON.stringify(spec),
    object,
  };
}

const annotationsOf = (object: Record<string, unknown>) => record(record(object["metadata"])["annotations"]);

export interface Claim {
  identity: string;
  durationMs: number;
  /** Whether another one may have the lead if it asks. */
  isOffered: boolean;
  /** For people only. */
  nowMs: number;
}

/** The Lease that says that `identity` leads. Guarded by the resourceVersion of `old`, if there is one. */
export function claimed(ref: ObjectRef, old: ElectionRecord | undefined, claim: Claim): object {
  const spec = record(old?.object["spec"]);
  const now = microTime(claim.nowMs);
  const isRenewal = old?.holder === claim.identity;
  return {
    ...offered(
      old?.object ?? { metadata: ref },
      claim.isOffered ? (isRenewal && old.offeredTo) || "" : undefined,
    ),
    spec: {
      ...spec,
      holderIdentity: claim.identity,
      leaseDurationSeconds: Math.ceil(claim.durationMs / 1000),
      acquireTime: (isRenewal && text(spec["acquireTime"])) || now,
      renewTime: now,
      leaseTransitions: (integer(spec["leaseTransitions"]) ?? 0) + (old && !isRenewal ? 1 : 0),
    },
  };
}

/** The Lease by which `identity` asks for the lead that its holder offers. */
export const askedFor = ({ object }: ElectionRecord, identity: string): object => offered(object, identity);

function offered(object: Record<string, unknown>, to: string | undefined): Record<string, unknown> {
  const { [OFFERED_ANNOTATION]: _, ...others } = annotationsOf(object);
  const annotations = to === undefined ? others : { ...others, [OFFERED_ANNOTATION]: to };
  return { ...object, metadata: { ...record(object["metadata"]), annotations } };
}

/** The Lease given back, as client-go writes it: whoever looks at it next may take it. */
export function released({ object }: ElectionRecord, nowMs: number): object {
  const now = microTime(nowMs);
  const spec = {
    ...record(object["spec"]),
    holderIdentity: "",
    leaseDurationSeconds: 1,
    acquireTime: now,
    renewTime: now,
  };
  return { ...offered(object, undefined), spec };
}

/** What `koncli lease why` reads before it explains anything. Whatever the user may not read is said, and the rest is still explained. */
import type { JobView } from "../../lease/job.ts";
import type { PodView } from "../../lease/pod.ts";
import type { HolderRef, Lease, LeaseRequest } from "../../lease/types.ts";
import type { Known } from "../known.ts";

/** The pod or Job about which somebody asks. */
export type Subject = PodSubject | JobSubject | HiddenSubject;

export interface PodSubject extends PodStart {
  kind: "Pod";
  pod: PodView;
  /** The last line that its gate has logged; read only if konductor seems not to have heard of the gate. */
  gateLog?: Known<string>;
}

/** A pod or Job that the user may not read: only its LeaseRequest, if it has one, tells of it. */
export interface HiddenSubject {
  kind: "Hidden";
  name: string;
  /** Half a sentence such as "you may not get pods in shop". */
  why: string;
  request?: LeaseRequest;
}

export interface JobSubject {
  kind: "Job";
  job: JobView;
  createdMs: number;
  /** Why it is over, in the words of the condition that says so. */
  end?: { type: string; reason: string; message: string };
  /** Its pods, unless it waits as a whole. */
  pods: Known<readonly PodSubject[]>;
  /** The last event that tells why it has no pods. */
  trouble?: string;
}

/** How far a pod has come on its way to its gate, beyond what the lease rules look at. */
export interface PodStart {
  createdMs: number;
  /** Scheduling gates of others. */
  otherGates: readonly string[];
  /** What the scheduler says of a pod without a node. */
  unscheduled?: string;
  /** Its sandbox, or its network, is not there yet. */
  lacksSandbox: boolean;
  /** Init containers before the gate that have not ended, or are not up. */
  before: readonly string[];
  /** Why the gate's container does not run, as the kubelet says it. */
  gateWaits?: { reason: string; message: string };
  /** How the gate's last run ended. */
  gateExit?: { code: number; message: string };
}

/** A pod that may be running under the hold, and its node. */
export interface HolderPodFacts {
  ref: HolderRef;
  pod: Known<PodView>;
  isNodeReady: Known<boolean>;
}

export interface Facts {
  namespace: string;
  subject: Subject;
  lease: Known<Lease>;
  /** Those for this klease alone. */
  requests: Known<readonly LeaseRequest[]>;
  /** The holder's pods, at most {@link MOST_HOLDER_PODS}. */
  holderPods: readonly HolderPodFacts[];
  /** By the API server's clock. */
  nowMs: number;
}

/** What is to be known to say who holds and what would end that. */
export type HolderFacts = Pick<Facts, "namespace" | "requests" | "holderPods" | "nowMs">;

export const MOST_HOLDER_PODS = 3;

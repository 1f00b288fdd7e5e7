/** What has truly happened in a story, whatever anybody believed: what check.ts judges. */

/** Somebody who could have been granted instead, and came before in the queue. */
export interface Passed {
  who: string;
  /** For so long it had been as it was then, for everybody to see. */
  readyForMs: number;
}

export type Fact =
  /** A main, or a client's work, begins under the hold of `claim` (the uid of a pod, a Job or a request). */
  | { what: "runs"; who: string; claim: string }
  | { what: "stops"; who: string }
  | { what: "granted"; token: number; claim: string; passed: readonly Passed[] }
  /** The hold ended, or renewals of it are refused from now on: `how` is a word of the klease's status, or `Deleted`. */
  | { what: "lost"; token: number; claim: string; how: string }
  /**
   * What became of a renewal; `refused` is the code of a refusal. `isElsewhere`: the replica did not renew it, and another one could
   * have.
   */
  | { what: "renewed"; claim: string; isAnswered: boolean; refused?: string; isElsewhere?: boolean }
  /** What a hold was promised, where that is less than for ever; `continues`: its main runs on where it is lost, beside another's. */
  | { what: "limited"; claim: string; maxHoldMs?: number; startTimeoutMs?: number; continues?: boolean }
  /** A gate of the claimant has started, so that a grant can be answered. */
  | { what: "gate"; claim: string }
  /**
   * The object of a holder has gone, whose kubelet and keeper are well, and for whose end time may stand: its containers are stopped within
   * `graceMs` of its kubelet's learning that.
   */
  | { what: "vanished"; claim: string; graceMs: number }
  /** The keeper's word that its pod ends was answered. */
  | { what: "said"; claim: string }
  /** Something befell the holder, or was said by an admin, that may end its hold. */
  | { what: "troubled"; claim: string; why: string }
  /** Somebody asks for the klease by a client; 0: one try. */
  | { what: "asks"; who: string; timeoutMs: number }
  /** Another process asks under its name. */
  | { what: "namesake"; who: string }
  /** Why it never gets to work, as it was told: the code of an error. */
  | { what: "told"; who: string; code: string }
  /**
   * A client is killed. What it has started may go on for `mayRunForMs`; `ttlMs` is there where it holds the klease; `mustConfirm`: whether a
   * grant that it does not answer is taken back.
   */
  | { what: "dies"; claim: string; mayRunForMs: number; ttlMs?: number; mustConfirm: boolean }
  /** An admin has deleted the klease, a replica has ended, or another one arbitrates from now on. */
  | { what: "upset"; by: "deletion" | "end" | "election" }
  /** So many calls konductor has made within a second, where that is much. */
  | { what: "called"; times: number }
  /** Nobody holds or runs, and somebody could use the klease; `busy` ends it. */
  | { what: "idle"; who: string }
  | { what: "busy" }
  /** Something is broken; from `calm` on nothing is. */
  | { what: "fault"; name: string }
  | { what: "calm" }
  /** konductor deletes a pod of which nothing but its gate runs, which everybody could know. */
  | { what: "dismissed"; who: string }
  /** konductor deletes a pod of a Job that goes on, or is suspended. */
  | { what: "taken"; who: string; job: string }
  /** konductor skips a Job since `most` others of its CronJob may wait, and so many did, or had until a short time ago. */
  | { what: "skipped"; who: string; others: number; most: number }
  /** A gate is refused for its pod's annotations, although they can be read. */
  | { what: "misread"; who: string }
  /** It came to rest, and never got to run. */
  | { what: "forgotten"; who: string };

export type Noted = Fact & { atMs: number };

export type Note = (fact: Fact) => void;

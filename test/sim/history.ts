/** What has truly happened in a story, whatever anybody believed. check.ts judges it. */

/** Somebody who could have been granted instead, and was ahead in the queue. */
export interface Passed {
  who: string;
  /** How long this had been so, for everybody to see. */
  readyForMs: number;
}

export type Fact =
  /** A main, or a client's work, begins under the hold of `claim` (the uid of a pod, a Job or a request). */
  | { what: "runs"; who: string; claim: string; key?: string }
  | { what: "stops"; who: string }
  /** The work of the claimant has truly succeeded, whoever knows of it. */
  | { what: "succeeded"; claim: string }
  /** Whoever reads the holder's object finds the proof that its work has succeeded under the hold with this token. */
  | { what: "proved"; who: string; token: number; key: string }
  /** That object is being deleted, or is gone. */
  | { what: "unproved"; token: number }
  /** The klease lists work as done under the hold with this token. */
  | { what: "noted"; key: string; token: number }
  /** The klease lists the work no more: an admin has it forgotten, or the klease was deleted. */
  | { what: "unnoted"; key: string }
  /** Somebody ends without having run, since the work is done. */
  | { what: "spared"; who: string; key: string }
  /** `against`: which rule of the klease's owner holds grants back at that moment. */
  | { what: "granted"; token: number; claim: string; passed: readonly Passed[]; against?: string }
  /** It is let wait, although as many as may wait have waited before it. Or it is turned away, although fewer have. */
  | { what: "crowded" | "turnedAway"; who: string; before: number; most: number }
  /** The hold ended, or its renewals are refused from now on. `how` is a word of the klease's status, or `Deleted`. */
  | { what: "lost"; token: number; claim: string; how: string }
  /** The outcome of a renewal. `refused` is the code of a refusal. `isElsewhere` means that the replica did not renew, but another one could have. */
  | { what: "renewed"; claim: string; isAnswered: boolean; refused?: string; isElsewhere?: boolean }
  /** The limits of a hold, if it has any. With `continues` its main runs on after a loss, beside another's. */
  | { what: "limited"; claim: string; maxHoldMs?: number; startTimeoutMs?: number; continues?: boolean }
  /** A gate of the claimant has started, so that a grant can be confirmed. */
  | { what: "gate"; claim: string }
  /**
   * The object of a holder is gone while its kubelet and keeper are well, and time counts as proof of its end: its containers are stopped
   * within `graceMs` after its kubelet learns of that.
   */
  | { what: "vanished"; claim: string; graceMs: number }
  /** The keeper's announcement of its pod's end was answered. */
  | { what: "said"; claim: string }
  /** Something happened to the holder, or an admin did something, that may end its hold. */
  | { what: "troubled"; claim: string; why: string }
  /** The klease's policy was changed, which may say that time does not count as proof of the holder's end. No hold ends by that. */
  | { what: "policy"; claim: string }
  /** Somebody asks for the klease by a client. 0 means a single try. */
  | { what: "asks"; who: string; timeoutMs: number }
  /** Another process asks under its name. */
  | { what: "namesake"; who: string }
  /** The code of the error for which the client never gets to work. */
  | { what: "told"; who: string; code: string }
  /**
   * A client is killed. Its work may go on for `mayRunForMs`. `ttlMs` is set if it holds the klease. `mustConfirm` says whether a grant that
   * it does not confirm is taken back.
   */
  | { what: "dies"; claim: string; mayRunForMs: number; ttlMs?: number; mustConfirm: boolean }
  /** An admin has deleted the klease, a replica has ended, or another one arbitrates from now on. */
  | { what: "upset"; by: "deletion" | "end" | "election" }
  /** konductor has made this many calls within a second, if that is much. */
  | { what: "called"; times: number }
  /** A pod is told that its wait-timeout is over, after it has waited for `waitedMs`. */
  | { what: "timedOut"; who: string; timeoutMs: number; waitedMs: number }
  /** Nobody holds or runs, but somebody could use the klease, until `busy`. */
  | { what: "idle"; who: string }
  | { what: "busy" }
  /** Something is broken until `calm`. */
  | { what: "fault"; name: string }
  | { what: "calm" }
  /** konductor deletes a pod of which visibly only the gate runs. */
  | { what: "dismissed"; who: string }
  /** konductor deletes a pod of a Job that goes on, or is suspended. */
  | { what: "taken"; who: string; job: string }
  /** konductor skips a Job since `most` others of its CronJob may wait, and `others` did, or had until shortly before. */
  | { what: "skipped"; who: string; others: number; most: number }
  /** A gate is refused because of its pod's annotations, although they are valid. */
  | { what: "misread"; who: string }
  /** The claimant is idle at the end, and never got to run. */
  | { what: "forgotten"; who: string };

export type Noted = Fact & { atMs: number };

export type Note = (fact: Fact) => void;

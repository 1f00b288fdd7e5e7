/** How far a pod has come: to its gate, through it, to its end. Pure. */
import { memberOf } from "../../lease/hold.ts";
import { claimantOf, isPastGate, isTerminal, waitsForJob } from "../../lease/pod.ts";
import type { ClaimantRef, Hold } from "../../lease/types.ts";
import { EXIT, LEASE_LABEL, passedToken } from "../../shared/names.ts";
import { ifKnown } from "../known.ts";
import { type Asking, explainClaimant, pastHold } from "./claimant.ts";
import { type Explanation, explanation } from "./explanation.ts";
import type { Facts, PodSubject } from "./facts.ts";
import { atAndAge, enumerate } from "./wording.ts";

export function explainPod(subject: PodSubject, facts: Facts): Explanation {
  const { pod } = subject;
  const { namespace, nowMs } = facts;
  const who = `Pod ${pod.name}`;
  const describe = `kubectl describe pod ${pod.name} -n ${namespace}`;
  if (pod.lease === undefined) {
    return explanation("Unlabelled", [
      `${who} has no label ${LEASE_LABEL}, so it waits for no klease; what else it may wait for says ${describe}.`,
      "The label counts when a pod is created: put it into the pod template.",
    ]);
  }
  const { lease } = pod;
  const about = { lease };
  if (!pod.gate) {
    return explanation(
      "Unlabelled",
      [
        `${who} has the label for klease ${lease}, but no gate: it was created where konductor did not see it, and does not wait.`,
        `Unless ${namespace} is a namespace that konductor leaves alone, delete the pod, so that its controller makes it anew.`,
      ],
      about,
    );
  }
  if (isTerminal(pod)) return ended(subject, lease, who);
  if (pod.deletionMs !== undefined) {
    return explanation(
      "Ending",
      [
        `${who} does not wait: it is being deleted, and has until ${atAndAge(pod.deletionMs, nowMs)} to stop.`,
      ],
      about,
    );
  }
  const claimant = claimantOf(pod);
  if (!claimant) {
    return explanation(
      "NotGranted",
      [`${who} has lost the Job whose hold of klease ${lease} it could share (gate: job): delete the pod.`],
      about,
    );
  }
  const hold = ifKnown(facts.lease)?.status.hold;
  if (hold?.ref.uid !== claimant.uid) return explainWithoutHold(subject, claimant, { ...about, facts });
  if (waitsForJob(pod)) return explainMember(subject, hold, { ...about, facts });
  const found = explainClaimant(claimant, asking(subject, { ...about, facts }));
  return { ...found, sentences: [...found.sentences, ...notAsking(subject, facts)] };
}

interface About {
  facts: Facts;
  lease: string;
}

function asking({ pod, createdMs, gateLog }: PodSubject, about: About): Asking {
  return { ...about, askedSinceMs: pod.gate?.startedMs ?? createdMs, gateLog };
}

/** Its Job holds, and it is one of the Job's pods. */
function explainMember(subject: PodSubject, hold: Hold, { facts, lease }: About): Explanation {
  const { pod } = subject;
  const job = hold.ref.name;
  if (memberOf(hold, pod.uid)) {
    const since = atAndAge(hold.acquiredMs, facts.nowMs);
    return explanation(
      "Holds",
      [
        `Pod ${pod.name} does not wait: it runs under the hold of its Job ${job}, which has held klease ${lease} since ${since}.`,
      ],
      { lease },
    );
  }
  return explanation(
    "Joining",
    [
      `Pod ${pod.name} waits to join its Job ${job}, which holds klease ${lease} already: it does so when its gate has asked.`,
      ...notAsking(subject, facts),
    ],
    { lease },
  );
}

/** Neither it nor its Job holds, as far as can be seen. */
function explainWithoutHold(subject: PodSubject, claimant: ClaimantRef, about: About): Explanation {
  const { pod, otherGates } = subject;
  const { facts, lease } = about;
  if (isPastGate(pod)) return letThrough(subject, about);
  if (pod.gated && pod.hasOtherGates) {
    return explanation(
      "Starting",
      [
        `Pod ${pod.name} does not wait for klease ${lease} yet: it joins the queue when its other scheduling gates are gone (${enumerate(otherGates)}).`,
      ],
      { lease },
    );
  }
  // Until its gate has run, what keeps the pod is not the klease.
  const reasons = notAsking(subject, facts);
  if (reasons.length === 0) return explainClaimant(claimant, asking(subject, about));
  const hasAsked = hasFailed(subject);
  return explanation(
    hasAsked ? "NotGranted" : "Starting",
    [
      `Pod ${pod.name} does not wait for klease ${lease} at the moment${hasAsked ? "" : ": its gate has not asked yet"}.`,
      ...reasons,
    ],
    { lease },
  );
}

/** Why the gate does not run now; none if it does. */
function notAsking(subject: PodSubject, { namespace, nowMs }: Facts): string[] {
  const { pod, gateWaits, gateExit, unscheduled, before, lacksSandbox } = subject;
  const { name, node, gate } = pod;
  if (pod.gated || gate?.state === "running" || isPastGate(pod)) return [];
  if (node === undefined) {
    return [
      `It has no node yet${unscheduled === undefined || unscheduled === "" ? "" : `: ${withoutStop(unscheduled)}`}.`,
    ];
  }
  if (hasFailed(subject) && gateExit) {
    const code = `exit code ${gateExit.code}`;
    const why =
      gateExit.message === "" ? `ended with ${code}` : `said: ${withoutStop(gateExit.message)} (${code})`;
    return [
      `Its gate ${why}.`,
      pod.restartPolicy === "Never"
        ? "It may not run again."
        : "The kubelet runs it again after a back-off, and it then asks anew.",
    ];
  }
  if (before.length > 0 && gate?.startedMs === undefined) {
    return [
      `Its init ${before.length === 1 ? "container" : "containers"} ${enumerate(before)} must come first: see kubectl describe pod ${name} -n ${namespace}.`,
    ];
  }
  if (lacksSandbox) {
    return [
      `Its sandbox or its network is not ready on node ${node} (PodReadyToStartContainers) since its creation at ${atAndAge(subject.createdMs, nowMs)}: see kubectl describe pod ${name} -n ${namespace}.`,
    ];
  }
  if (gateWaits && IMAGE_REASONS.test(gateWaits.reason)) {
    return [
      `The image of its gate cannot be pulled on node ${node} (${gateWaits.reason}): ${withoutStop(gateWaits.message)}.`,
    ];
  }
  const why =
    gateWaits === undefined
      ? ""
      : ` (${[gateWaits.reason, gateWaits.message].filter((each) => each !== "").join(": ")})`;
  return [`Its gate has not started on node ${node}${why}.`];
}

const IMAGE_REASONS = /Image|Registry/;

/** Its gate has ended without a grant, and does not run now. */
function hasFailed({ gateExit, pod }: PodSubject): boolean {
  return gateExit !== undefined && gateExit.code !== 0 && pod.gate?.state !== "running";
}

function ended({ pod, gateExit }: PodSubject, lease: string, who: string): Explanation {
  if (gateExit?.code === EXIT.refused) {
    return explanation(
      "NotGranted",
      [
        `${who} does not wait any more: it has ended (${pod.phase}), because it was not granted klease ${lease}. Its gate said: ${withoutStop(gateExit.message)}.`,
      ],
      { lease },
    );
  }
  if (gateExit?.code === EXIT.lost) {
    return explanation(
      "Lost",
      [
        `${who} does not wait any more: it has ended (${pod.phase}), because it had lost its hold of klease ${lease}, and may not run again (restartPolicy: Never).`,
      ],
      { lease },
    );
  }
  const token = passedToken(gateExit?.message);
  const held = token === undefined ? "without having held" : `after it had held`;
  return explanation(
    "Ended",
    [
      `${who} does not wait: it has ended (${pod.phase}) ${held} klease ${lease}${token === undefined ? "" : ` under token ${token}`}.`,
    ],
    { lease },
  );
}

/** Its gate let it through, and the klease does not show it as its holder any more. */
function letThrough({ pod }: PodSubject, { lease, facts }: About): Explanation {
  const { lease: klease, namespace, nowMs } = facts;
  const token = passedToken(pod.gate?.message);
  const said = `Pod ${pod.name} does not wait: it was let through`;
  if (klease.is === "unread") {
    const unknown = `Whether it still holds klease ${lease} is not known: ${klease.why}.`;
    return explanation("Unknown", [`${said}.`, unknown], { lease });
  }
  const past = pastHold(ifKnown(klease), token);
  const under = token === undefined ? "" : ` under token ${token}`;
  const by = past?.by === undefined ? "" : ` by ${past.by}`;
  const how = past ? `was over at ${atAndAge(past.endedMs, nowMs)} (${past.reason}${by})` : "is over";
  const head = `${said}, and its hold of klease ${lease}${under} ${how}.`;
  if (past?.reason === "Released" || past?.reason === "Terminated")
    return explanation("Ended", [head], { lease });
  const after =
    pod.mode.onLost === "continue"
      ? ["It runs on all the same (on-lost: continue)."]
      : pod.selfFencing
        ? ["Its keeper stops its containers, or has done so."]
        : [];
  const more = `See kubectl describe klease ${lease} -n ${namespace}.`;
  return explanation("Lost", [head, ...after, more], { lease });
}

function withoutStop(message: string): string {
  return message.replace(/\.\s*$/, "");
}

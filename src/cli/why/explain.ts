/** What `koncli lease why` answers, from what was read. Pure. */
import { ENDED_UNRUN, isSuspendedByUser, waitsAsWhole } from "../../lease/job.ts";
import { GET_PODS, LEASE_LABEL } from "../../shared/names.ts";
import { ifKnown } from "../known.ts";
import { explainClaimant } from "./claimant.ts";
import { explainPod } from "./explain-pod.ts";
import { type Explanation, explanation, type State } from "./explanation.ts";
import type { Facts, HiddenSubject, JobSubject } from "./facts.ts";
import { holderSentences } from "./holder-sentences.ts";
import { enumerate, unreadSentence } from "./wording.ts";

/** Why the pod or Job waits, or why it does not. */
export function explain(facts: Facts): Explanation {
  const { subject } = facts;
  switch (subject.kind) {
    case "Pod":
      return explainPod(subject, facts);
    case "Job":
      return explainJob(subject, facts);
    case "Hidden":
      return explainHidden(subject, facts);
  }
}

/** Nothing is known of it but its request. */
function explainHidden({ name, why, request }: HiddenSubject, facts: Facts): Explanation {
  const hidden = `What ${name} does is not known: ${why}.`;
  const { ref, lease = "" } = request?.spec ?? {};
  if (ref) {
    const found = explainClaimant(ref, { facts, lease, askedSinceMs: facts.nowMs });
    return { ...found, sentences: [hidden, ...found.sentences] };
  }
  const requests = ifKnown(facts.requests)
    ? [
        `No LeaseRequest in ${facts.namespace} is of a pod or Job of this name, so it has no place in a queue.`,
      ]
    : unreadSentence(facts.requests, "Whether it has a place in a queue");
  return explanation("Unknown", [hidden, ...requests]);
}

function explainJob(subject: JobSubject, facts: Facts): Explanation {
  const { job, end } = subject;
  const { namespace } = facts;
  const who = `Job ${job.name}`;
  if (job.lease === undefined) {
    const place = job.labelled
      ? `${who} has the label ${LEASE_LABEL}, but its pod template does not: it was created where konductor did not see it. Delete it and create it again`
      : `${who} has no label ${LEASE_LABEL} in its pod template, so it waits for no klease`;
    return explanation("Unlabelled", [
      `${place}. What else it may wait for says kubectl describe job ${job.name} -n ${namespace}.`,
    ]);
  }
  const lease = job.lease;
  if (end?.reason === ENDED_UNRUN.done) {
    return explanation(
      "AlreadyDone",
      [
        `${who} does not wait: it has ended without having run, because under klease ${lease} ${end.message}.`,
        `To have it done again: koncli lease forget ${lease} KEY -n ${namespace}, and then create the Job again.`,
      ],
      { lease },
    );
  }
  if (end?.reason === ENDED_UNRUN.held) {
    return explanation(
      "Skipped",
      [
        `${who} does not wait: it was skipped for klease ${lease}, and has ended without having run (${end.message}).`,
        "Its next run asks anew. To have runs wait instead, leave the annotation konductor.io/if-held out, or raise konductor.io/max-waiting.",
      ],
      { lease },
    );
  }
  if (end) {
    const why = [end.reason, end.message].filter((each) => each !== "").join(": ");
    return explanation(
      "Ended",
      [`${who} does not wait: it is over, as its condition ${end.type} says (${why}).`],
      { lease },
    );
  }
  if (job.deletionMs !== undefined) {
    return explanation("Ending", [`${who} does not wait: it is being deleted.`], { lease });
  }
  if (isSuspendedByUser(job)) {
    return explanation(
      "Suspended",
      [
        `${who} does not wait for klease ${lease}: somebody else than konductor has suspended it (spec.suspend), so it has no place in the queue.`,
        `To queue it: kubectl patch job ${job.name} -n ${namespace} --type=merge -p '{"spec":{"suspend":false}}'.`,
      ],
      { lease },
    );
  }
  if (waitsAsWhole(job)) {
    return explainClaimant(
      { kind: "Job", name: job.name, uid: job.uid },
      { facts, lease, askedSinceMs: subject.createdMs },
    );
  }
  return explainPodsOf(subject, lease, facts);
}

/** A Job whose pods wait each for itself: its pod that matters most speaks for it. */
function explainPodsOf(subject: JobSubject, lease: string, facts: Facts): Explanation {
  const { job } = subject;
  const { namespace } = facts;
  const who = `Job ${job.name}`;
  const pods = ifKnown(subject.pods);
  if (pods === undefined) return withoutPods(subject, lease, facts);
  if (pods.length === 0) {
    const trouble =
      subject.trouble === undefined ? "" : ` The last that was said about it: ${subject.trouble}.`;
    return explanation(
      "Starting",
      [
        `${who} has no pods yet that could wait for klease ${lease}.${trouble}`,
        `See kubectl describe job ${job.name} -n ${namespace}; if konductor does not answer, its pods are refused (${GET_PODS}).`,
      ],
      { lease },
    );
  }
  const explained = pods.map((pod) => ({ pod, of: explainPod(pod, facts) }));
  const rank = ({ of }: { of: Explanation }) => RANK.indexOf(of.state);
  const [first] = explained.sort((a, b) => rank(b) - rank(a) || a.pod.createdMs - b.pod.createdMs);
  if (!first) throw new Error("a list that is not empty has a first element");
  const others =
    pods.length === 1
      ? []
      : [
          `${who} has ${pods.length} pods: ${enumerate(pods.map(({ pod }) => pod.name))}. This is about ${first.pod.pod.name}.`,
        ];
  return { ...first.of, sentences: [...others, ...first.of.sentences] };
}

/** Of which of its pods a Job's user wants to hear: the last named comes first. */
const RANK: readonly State[] = [
  "Unlabelled",
  "Ended",
  "Ending",
  "Holds",
  "Joining",
  "Lost",
  "NotGranted",
  "Granted",
  "Starting",
  "Unanswered",
  "LeaseMissing",
  "Unknown",
  "Waiting",
];

/** The pods may not be read, so their places in the queue are not known: what is known of the klease is said. */
function withoutPods({ job, pods }: JobSubject, lease: string, facts: Facts): Explanation {
  const klease = ifKnown(facts.lease);
  const hold = klease?.status.hold;
  const state =
    klease === undefined ? [] : [hold ? `Klease ${lease} is held.` : `Nobody holds klease ${lease}.`];
  return explanation(
    "Unknown",
    [
      ...unreadSentence(pods, `Whether the pods of Job ${job.name} wait for klease ${lease}`),
      ...unreadSentence(facts.lease, `Who holds klease ${lease}`),
      ...state,
      ...(klease && hold ? holderSentences(klease, hold, facts) : []),
    ],
    { lease },
  );
}

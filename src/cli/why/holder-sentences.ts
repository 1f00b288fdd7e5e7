/** Why somebody else holds the klease, and what it would take to end that. Pure. */
import { causeOfRevocation } from "../../lease/conditions.ts";
import { CONFIRM_WITHIN_MS, EXPIRY_ALLOWANCE_MS } from "../../lease/decision.ts";
import { isTerminal, isUnscheduled } from "../../lease/pod.ts";
import type { Hold, Lease } from "../../lease/types.ts";
import { ifKnown } from "../known.ts";
import type { HolderFacts } from "./facts.ts";
import { afterExpiry, limits } from "./holder-end.ts";
import { whyPodHolds } from "./holder-pod.ts";
import { atAndAge, capital, duration, enumerate, lastRenewal, shellWord, whoHolds } from "./wording.ts";

/** Who holds `lease`, why, what ends that, and by which command. */
export function holderSentences(lease: Lease, hold: Hold, facts: HolderFacts): string[] {
  return [...identity(hold, facts), ...whyItHolds(lease, hold, facts), ...commands(lease, hold, facts)];
}

/** Who holds, since when, and its last renewal. */
export function identity(hold: Hold, { nowMs, requests, holderPods }: HolderFacts): string[] {
  const { ref, acquiredMs, token } = hold;
  if (!hold.confirmed) {
    return [
      `The klease was granted to ${whoHolds(hold)} at ${atAndAge(acquiredMs, nowMs)}, which has not answered yet.`,
    ];
  }
  const user = ifKnown(requests)?.find(({ uid }) => uid === ref.uid)?.spec.requestedBy;
  const by = user === undefined ? "" : ` of user ${user}`;
  const places = holderPods.map((each) => `${each.ref.name}${onNode(each.ref.node)}`);
  const unnamed = (hold.pods?.length ?? 0) - holderPods.length;
  const pods = unnamed > 0 ? [...places, `${unnamed} more`] : places;
  const members =
    ref.kind === "Job" ? `, with ${pods.length === 0 ? "no pods now" : enumerate(pods, pods.length)}` : "";
  return [
    `${capital(whoHolds(hold))}${by}${onNode(ref.node)} has held the klease since ${atAndAge(acquiredMs, nowMs)} under token ${token}${members}, and ${lastRenewal(hold, nowMs)}.`,
  ];
}

const onNode = (node: string | undefined) => (node === undefined ? "" : ` on node ${node}`);

function whyItHolds(lease: Lease, hold: Hold, facts: HolderFacts): string[] {
  const { nowMs, holderPods } = facts;
  const { holder, ref, expiresMs } = hold;
  if (hold.unreachable) {
    const said = lease.status.conditions.find(
      ({ type, status }) => type === "HolderUnreachable" && status === "True",
    );
    return [
      `Somebody has to act: ${said?.message ?? `nothing proves that the containers of ${holder} have stopped`}.`,
    ];
  }
  if (!hold.confirmed) return unanswered(hold, facts);
  if (hold.revoked) {
    const { forced } = lease;
    const cause = causeOfRevocation(hold, forced?.token === hold.token ? forced.by : undefined);
    return [
      `${capital(cause)}, so its renewals are refused; the next is granted when its containers have ended.`,
    ];
  }
  if (hold.expired) {
    return [
      `It went silent, and its hold expired at ${atAndAge(expiresMs, nowMs)}: ${afterExpiry(lease, hold, facts)}.`,
      ...nodeSentences(facts),
    ];
  }
  if (nowMs > expiresMs + LATE_ARBITER_MS) {
    return [
      `Its ttl was over at ${atAndAge(expiresMs, nowMs)}, and no arbiter has noticed: konductor does not answer, or a new arbiter counts the ttl once more.`,
    ];
  }
  if (hold.releasing) {
    return [
      "Its keeper has said that the pod ends; the next is granted when the pod's status proves that its containers have.",
      ...holderPods
        .filter(({ pod }) => ifKnown(pod)?.deletionMs !== undefined)
        .flatMap((each) => whyPodHolds(each, hold, facts)),
    ];
  }
  const why =
    ref.kind === "LeaseRequest"
      ? ["A client keeps it until it releases it, or has been silent for its ttl."]
      : ref.kind === "Job" && holderPods.length === 0
        ? ["A Job keeps it until it is Complete, Failed, deleted or suspended."]
        : holderPods.flatMap((each) => whyPodHolds(each, hold, facts));
  const isLate = nowMs - (expiresMs - hold.ttlMs) > (2 / 3) * hold.ttlMs;
  return [...why, ...(isLate ? nodeSentences(facts) : []), ...limits(lease, hold, facts)];
}

/** A new arbiter gives every holder its ttl once more, so this is only a sign. */
const LATE_ARBITER_MS = EXPIRY_ALLOWANCE_MS + 10_000;

function unanswered(hold: Hold, { holderPods, nowMs }: HolderFacts): string[] {
  const [first] = holderPods;
  const pod = first && ifKnown(first.pod);
  if (pod && isUnscheduled(pod) && pod.settings.ok) {
    const endMs = hold.acquiredMs + pod.settings.settings.startTimeoutMs;
    return [
      `That pod waited without a node, and has until ${atAndAge(endMs, nowMs)}, its start-timeout, to find one and pull its images.`,
    ];
  }
  return [`If it does not answer within ${duration(CONFIRM_WITHIN_MS)} of the grant, the next is granted.`];
}

/** Of a silent holder it matters whether its node is alive. */
function nodeSentences({ holderPods }: HolderFacts): string[] {
  return holderPods.flatMap(({ ref, isNodeReady }) =>
    isNodeReady.is === "unread"
      ? [`Whether node ${ref.node ?? ""} is Ready is not known: ${isNodeReady.why}.`]
      : [],
  );
}

/** What the user can do about it. The condition HolderUnreachable names the ways out itself. */
function commands({ name: lease }: Lease, hold: Hold, { namespace, holderPods }: HolderFacts): string[] {
  const { ref, holder, token } = hold;
  if (hold.unreachable || hold.revoked) return [];
  const force = `koncli lease release ${lease} --force --token ${token} -n ${namespace}`;
  if (ref.kind === "LeaseRequest") {
    const release = `koncli lease release ${lease} --holder ${shellWord(holder)} -n ${namespace}`;
    return [
      `To end it now, stop it where it runs. If it has ended without a release, its own user runs ${release}, or an admin ${force}.`,
    ];
  }
  const pods = holderPods.map(({ pod }) => ifKnown(pod));
  const isEnding =
    ref.kind === "Pod" &&
    holderPods.some(({ pod }) => pod.is !== "unread") &&
    pods.every((pod) => !pod || pod.deletionMs !== undefined || isTerminal(pod));
  if (isEnding) return [`To end it now, an admin runs ${force}.`];
  const deletion = `kubectl delete ${ref.kind.toLowerCase()} ${ref.name} -n ${namespace}`;
  return [`To end it now, stop its work by ${deletion}; an admin can run ${force}.`];
}

/** What a forced release would do: docs/reference.md, "Forced release". Pure. */
import { isTerminal } from "../../lease/pod.ts";
import type { Hold, Lease } from "../../lease/types.ts";
import { ifKnown } from "../known.ts";
import type { HolderFacts, HolderPodFacts } from "./facts.ts";
import { identity } from "./holder-sentences.ts";
import { enumerate, named, whoHolds } from "./wording.ts";

/** Who would lose `lease`, what becomes of it, with proof and without, and who is next. */
export function releaseSentences(lease: Lease, hold: Hold, facts: HolderFacts): string[] {
  return [...identity(hold, facts), ...whatHappens(hold, facts), whoIsNext(lease)];
}

function whatHappens(hold: Hold, { holderPods }: HolderFacts): string[] {
  const { ref } = hold;
  if (!hold.confirmed)
    return ["It has not answered its grant, so nothing of it runs: the hold ends at once."];
  const refused = `The renewals of ${whoHolds(hold)} are refused from then on.`;
  if (ref.kind === "LeaseRequest") {
    return [
      refused,
      "No proof is awaited of a client: the hold ends at once, and its command may run on until it notices. Make sure that it has ended.",
    ];
  }
  const running = holderPods.filter(isSeenRunning);
  const unread = holderPods.flatMap(({ pod, isNodeReady }) =>
    pod.is === "unread" ? [pod.why] : isNodeReady.is === "unread" ? [isNodeReady.why] : [],
  );
  const withoutProof = "Without waiting for proof the hold ends at once, and the next may run beside it.";
  if (running.length > 0) {
    const told =
      ref.kind === "Job" ? `${named(ref)} is suspended, which ends its pods` : `pod ${ref.name} is deleted`;
    const names = enumerate(running.map(({ ref: { name, node } }) => `${name} on node ${node ?? "unknown"}`));
    return [
      refused,
      `With proof: ${names} ${running.length === 1 ? "is" : "are"} seen running, so ${told}, and the hold ends when it is proved that its containers have stopped.`,
      withoutProof,
    ];
  }
  if (unread.length > 0) {
    return [
      refused,
      `Whether it runs is not known: ${enumerate([...new Set(unread)])}. With proof: if a pod of it is seen running on a Ready node, it is told to end, and the hold ends when it is proved that its containers have stopped; otherwise the hold ends at once.`,
      withoutProof,
    ];
  }
  return [
    refused,
    "Nothing of it is seen running on a Ready node, so konductor believes you: the hold ends at once, with proof or without. Make sure that its containers have stopped.",
  ];
}

function isSeenRunning({ pod, isNodeReady }: HolderPodFacts): boolean {
  const seen = ifKnown(pod);
  return seen?.node !== undefined && !isTerminal(seen) && ifKnown(isNodeReady) === true;
}

function whoIsNext({ status: { next, waiters } }: Lease): string {
  if (!next) return waiters === 0 ? "Nobody waits for it." : "Nobody of those who wait can use it now.";
  return `The next is ${next.holder}.`;
}

/** The story of one hold: what may not be read is said, and the rest is told. Pure. */
import { podsOf } from "../../lease/hold.ts";
import type { Hold, HolderRef, Lease } from "../../lease/types.ts";
import { ifKnown } from "../known.ts";
import { type HolderFacts, type HolderPodFacts, MOST_HOLDER_PODS } from "../why/facts.ts";
import { holderSentences } from "../why/holder-sentences.ts";
import { unreadSentence } from "../why/wording.ts";
import type { Selector } from "./feed.ts";
import { rowCondition } from "./lease-row.ts";
import { isOfHold, isOfHolder, type ReadEvent, spanOf } from "./story-events.ts";
import { type FoundPod, podSelectors, type Subject, storyPods } from "./story-pods.ts";
import type { Found } from "./story-sources.ts";
import type { HoldStory } from "./wire.ts";

/** What has been found of a hold. */
export interface StoryFound {
  ofLease: Found<ReadEvent>;
  /** Events of the pod or Job that holds. */
  ofHolder: Found<ReadEvent>;
  pods(selector: Selector): Found<FoundPod>;
  /** Whether a node is Ready. */
  isReady(node: string): HolderPodFacts["isNodeReady"];
}

export interface StoryFacts {
  lease: Lease;
  subject: Subject;
  found: StoryFound;
  requests: HolderFacts["requests"];
  /** By the API server's clock. */
  nowMs: number;
}

/** The latest ones are told. */
const MOST_EVENTS = 200;
const TOO_MANY = "There are so many events that some are missing here.";

export function tellStory(facts: StoryFacts): HoldStory {
  const { lease, subject, found } = facts;
  const { hold } = subject;
  const { holder, token } = subject.hold ?? subject.past;
  const span = spanOf(subject);
  const pods = storyPods(subject, found.pods);
  const events = [
    ...(ifKnown(found.ofLease.items) ?? []).filter((event) => isOfHold(event, token, span)),
    ...(ifKnown(found.ofHolder.items) ?? []).filter((event) => isOfHolder(event, span)),
  ];
  const areCut = found.ofLease.isCut || found.ofHolder.isCut || events.length > MOST_EVENTS;
  return {
    ...{ holder, token },
    events: events
      .map(({ token: _, ...told }) => told)
      .toSorted((a, b) => a.atMs - b.atMs)
      .slice(-MOST_EVENTS),
    conditions: hold ? lease.status.conditions.map(rowCondition) : [],
    pods: ifKnown(pods) ?? [],
    sentences: [
      ...(hold ? holderSentences(lease, hold, holderFacts(facts, hold)) : []),
      ...unreadSentence(found.ofLease.items, "What has happened"),
      ...unreadSentence(pods, "What its pods do"),
      ...(areCut ? [TOO_MANY] : []),
    ],
  };
}

/** The pods that may be running under the present hold, of which facts are told. */
export function holderRefs(hold: Hold): readonly HolderRef[] {
  return podsOf(hold).slice(0, MOST_HOLDER_PODS);
}

function holderFacts({ lease, found, requests, nowMs }: StoryFacts, hold: Hold): HolderFacts {
  const [selector = {}] = podSelectors({ hold });
  const { items, isCut } = found.pods(selector);
  return {
    ...{ namespace: lease.namespace, requests, nowMs },
    holderPods: holderRefs(hold).map((ref) => {
      const view = ifKnown(items)?.find(({ view: { uid } }) => uid === ref.uid)?.view;
      return {
        ref,
        pod: view
          ? { is: "known", value: view }
          : items.is === "unread"
            ? items
            : isCut
              ? { is: "unread", why: "not all pods of its Job were read" }
              : { is: "missing" },
        isNodeReady: ref.node === undefined ? { is: "missing" } : found.isReady(ref.node),
      };
    }),
  };
}

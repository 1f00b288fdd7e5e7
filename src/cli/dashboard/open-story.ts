/**
 * A story that is open: told anew whenever something of it changes, with the user's own rights. The klease and its requests are those of the picture.
 * Events, the hold's pods and their nodes are followed for as long as the story is open: by at most seven watches, however often something changes.
 * Of the klease's events 500 are kept, and 500 of its holder's, 5 KB each; of pods 100 for each of two selectors. That is 5 MB at most, and what the
 * pods take.
 */
import { EVENTS, NODES, PODS } from "../../kube/resources.ts";
import { keyOf, type Lease } from "../../lease/types.ts";
import { parseNode } from "../../objects/node-view.ts";
import type { HoldName } from "./calls.ts";
import type { Selector } from "./feed.ts";
import { knownRequests } from "./hold-reader.ts";
import type { Picture } from "./picture.ts";
import { holderRefs, tellStory } from "./story.ts";
import { isOfHold, isOfHolder, parseStoryEvent, type ReadEvent, type Span, spanOf } from "./story-events.ts";
import { holderEvents, parseFoundPod, podSelectors, type Subject } from "./story-pods.ts";
import { createSources, named, type SourceReader } from "./story-sources.ts";
import type { StoryMessage } from "./wire.ts";

export interface OpenStoryOptions {
  reader: SourceReader;
  picture: Picture;
  hold: HoldName;
  /** There may be something else to tell. */
  onChange: () => void;
}

export interface OpenStory {
  /** The story as it is now; undefined while some of it is being read. */
  tell(): StoryMessage | undefined;
  /** Ends all watches; it is not told any more. */
  close(): void;
}

const KEPT_EVENTS = 500;
const KEPT_PODS = 100;

/** Opens a story. It follows nothing before it is told. */
export function openStory({ reader, picture, hold: asked, onChange }: OpenStoryOptions): OpenStory {
  const { namespace, lease: name, token } = asked;
  const key = keyOf({ namespace, name });
  let isListed = false;
  let span: Span = { fromMs: 0, toMs: 0 };

  const own = { ...reader, namespace, onChange };
  const events = { ...own, resource: EVENTS, mostKept: KEPT_EVENTS, atMs: ({ atMs }: ReadEvent) => atMs };
  const wanted = (object: unknown, isWanted: (event: ReadEvent) => boolean) => {
    const event = parseStoryEvent(object);
    return isWanted(event) ? event : undefined;
  };
  const ofLease = createSources({
    ...events,
    parse: (object) => wanted(object, (event) => isOfHold(event, token, span)),
  });
  const ofHolder = createSources({
    ...events,
    parse: (object) => wanted(object, (event) => isOfHolder(event, span)),
  });
  const pods = createSources({
    ...{ ...own, resource: PODS, mostKept: KEPT_PODS, parse: parseFoundPod },
    atMs: ({ createdMs }) => createdMs,
  });
  const nodes = createSources({
    ...{ ...own, namespace: undefined, resource: NODES, mostKept: 1, parse: parseNode, atMs: () => 0 },
  });
  const all = [ofLease, ofHolder, pods, nodes];

  function followNothing(): void {
    for (const sources of all) sources.follow([]);
  }

  function untold(message: string): StoryMessage {
    followNothing();
    return { type: "untold", message };
  }

  function subjectOf(lease: Lease): Subject | undefined {
    const { hold } = lease.status;
    if (hold?.token === token) return { hold };
    const past = picture.pastOf(lease).find((each) => each.token === token);
    return past && { past };
  }

  picture.synced.then(
    () => {
      isListed = true;
      onChange();
    },
    () => undefined, // koncli ends
  );
  const unsubscribe = picture.subscribe({
    changed: (changed) => {
      if (changed === key) onChange();
    },
    trouble: () => undefined,
  });

  return {
    tell() {
      if (!isListed) return undefined;
      const lease = picture.lease(key);
      if (!lease) return untold(`There is no klease ${name} in namespace ${namespace} any more.`);
      const subject = subjectOf(lease);
      if (!subject)
        return untold(`Nothing is known any more of a hold of klease ${name} with token ${token}.`);
      span = spanOf(subject);
      const eventsOfLease: Selector = { fieldSelector: `involvedObject.uid=${lease.uid}` };
      const eventsOfHolder = holderEvents(subject);
      ofLease.follow([eventsOfLease]);
      ofHolder.follow(eventsOfHolder);
      pods.follow(podSelectors(subject));
      const refs = subject.hold ? holderRefs(subject.hold) : [];
      nodes.follow(refs.flatMap(({ node }) => (node === undefined ? [] : [named(node)])));
      if (!all.every((sources) => sources.areRead())) return undefined;
      const story = tellStory({
        ...{ lease, subject, requests: knownRequests(picture, lease), nowMs: reader.server.nowMs() },
        found: {
          ofLease: ofLease.found(eventsOfLease),
          ofHolder: ofHolder.found(eventsOfHolder[0] ?? {}),
          pods: pods.found,
          isReady(node) {
            const { items } = nodes.found(named(node));
            if (items.is !== "known") return items;
            const [found] = items.value;
            return found ? { is: "known", value: found.ready } : { is: "missing" };
          },
        },
      });
      return { type: "story", story };
    },
    close() {
      unsubscribe();
      followNothing();
    },
  };
}

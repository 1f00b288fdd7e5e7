/** The story of one hold, read with the user's own rights: what may not be read is said, and the rest is told. */
import { listAll } from "../../kube/list-pages.ts";
import { EVENTS } from "../../kube/resources.ts";
import type { Hold, Lease, PastHold } from "../../lease/types.ts";
import { endOfEvent, tokenOfEvent } from "../../objects/hold-events.ts";
import { KonductorError } from "../../shared/errors.ts";
import { record, text, timeMs } from "../../shared/json.ts";
import { ifKnown, type Known, tryRead } from "../known.ts";
import { holderSentences } from "../why/holder-sentences.ts";
import { unreadSentence } from "../why/wording.ts";
import { type HoldReader, type LeaseName, readHolderFacts, readLive } from "./hold-reader.ts";
import { rowCondition } from "./lease-row.ts";
import { isObjectName, readStoryPods } from "./story-pods.ts";
import type { HoldStory, StoryEvent } from "./wire.ts";

/** The latest ones are told. */
const MOST_EVENTS = 200;
/** Events have whole seconds, and some come before the grant or after the end that they belong to. */
const AROUND_MS = 2_000;
/** Of an object that is not the klease, such as the pod: it was scheduled before it was granted. */
const BEFORE_MS = 600_000;

/** @throws KonductorError `NotFound` if the klease is gone, or if neither its status nor an event knows the hold. */
export async function readStory(
  reader: HoldReader,
  named: LeaseName & { token: number },
): Promise<HoldStory> {
  const { token } = named;
  const lease = await readLive(reader, named);
  const { namespace, name } = lease;
  const hold = lease.status.hold?.token === token ? lease.status.hold : undefined;
  const ofLease = await readEvents(reader, namespace, `involvedObject.uid=${lease.uid}`);
  const past = hold ? undefined : pastHold(lease, ifKnown(ofLease) ?? [], token);
  if (!hold && !past)
    throw new KonductorError(
      "NotFound",
      `nothing is known any more of a hold of klease ${name} with token ${token}`,
    );
  const span = spanOf(hold, past);
  const pods = await readStoryPods(reader, namespace, { hold, past });
  const ofHolder = await readHolderEvents(reader, namespace, hold?.ref.name ?? past?.holder ?? "");
  const facts = hold && (await readHolderFacts(reader, lease));
  return {
    holder: hold?.holder ?? past?.holder ?? "",
    token,
    events: [
      ...(ifKnown(ofLease) ?? []).filter((event) => isOfHold(event, token, span)),
      ...(ifKnown(ofHolder) ?? []).filter(
        ({ atMs }) => atMs >= span.fromMs - BEFORE_MS && atMs <= span.toMs + BEFORE_MS,
      ),
    ]
      .map(({ event: _, ...told }) => told)
      .toSorted((a, b) => a.atMs - b.atMs)
      .slice(-MOST_EVENTS),
    conditions: hold ? lease.status.conditions.map(rowCondition) : [],
    pods: ifKnown(pods) ?? [],
    sentences: [
      ...(hold && facts ? holderSentences(lease, hold, facts) : []),
      ...unreadSentence(ofLease, "What has happened"),
      ...unreadSentence(pods, "What its pods do"),
    ],
  };
}

interface ReadEvent extends StoryEvent {
  event: unknown;
}

function pastHold(lease: Lease, events: readonly ReadEvent[], token: number): PastHold | undefined {
  const known = lease.status.history.find((past) => past.token === token);
  if (known) return known;
  return events.map(({ event }) => endOfEvent(event)).find((past) => past?.token === token);
}

function spanOf(hold: Hold | undefined, past: PastHold | undefined): { fromMs: number; toMs: number } {
  return {
    fromMs: hold?.acquiredMs ?? past?.acquiredMs ?? 0,
    toMs: past?.endedMs ?? Number.POSITIVE_INFINITY,
  };
}

/** An event that names no hold, as those of konductor 0.1.0, counts by its time. */
function isOfHold(
  { event, atMs }: ReadEvent,
  token: number,
  span: { fromMs: number; toMs: number },
): boolean {
  const named = tokenOfEvent(event);
  if (named !== undefined) return named === token;
  return atMs >= span.fromMs - AROUND_MS && atMs <= span.toMs + AROUND_MS;
}

/** Events of the pod or Job of this name; of a client there are none. */
function readHolderEvents(reader: HoldReader, namespace: string, name: string): Promise<Known<ReadEvent[]>> {
  // A client may call itself anything, and the name becomes part of a selector.
  if (!isObjectName(name)) return Promise.resolve({ is: "missing" });
  return readEvents(
    reader,
    namespace,
    `involvedObject.name=${name}`,
    ({ about }) => about.startsWith("Pod/") || about.startsWith("Job/"),
  );
}

async function readEvents(
  { client, server }: HoldReader,
  namespace: string,
  fieldSelector: string,
  isWanted: (event: ReadEvent) => boolean = () => true,
): Promise<Known<ReadEvent[]>> {
  return await tryRead("list events", namespace, async () => {
    const options = { namespace, fieldSelector, onResponse: server.observe };
    return (await listAll(client, EVENTS, options, parseEvent)).filter(isWanted);
  });
}

function parseEvent(object: unknown): ReadEvent {
  const event = record(object);
  const { involvedObject, lastTimestamp, eventTime, metadata, type, reason, message } = event;
  const about = record(involvedObject);
  return {
    event,
    // An end says its own time; all else has whole seconds, and a grant in the same second comes first.
    atMs:
      endOfEvent(event)?.endedMs ??
      timeMs(lastTimestamp) ??
      timeMs(eventTime) ??
      timeMs(record(metadata)["creationTimestamp"]) ??
      0,
    type: type === "Warning" ? "Warning" : "Normal",
    reason: text(reason) ?? "",
    message: text(message) ?? "",
    about: `${text(about["kind"]) ?? ""}/${text(about["name"]) ?? ""}`,
  };
}

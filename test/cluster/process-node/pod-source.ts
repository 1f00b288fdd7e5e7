/** Watches the pods that are bound to a node. */
import type { KubeClient } from "../../../src/kube/client.ts";
import { createListWatch } from "../../../src/kube/list-watch.ts";
import { PODS } from "../../../src/kube/resources.ts";
import type { Clock } from "../../../src/shared/clock.ts";
import { describeError } from "../../../src/shared/errors.ts";
import type { Logger } from "../../../src/shared/log.ts";
import { fieldsOf } from "./fields.ts";
import { parsePod } from "./parse-pod.ts";
import type { Pod } from "./pod.ts";

export interface PodEvents {
  /** A new or changed pod; may be called again with an unchanged one. */
  seen(pod: Pod): void;
  gone(uid: string): void;
}

export interface PodSourceOptions {
  readonly kube: KubeClient;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

const BACKOFF = { firstMs: 1_000, maxMs: 1_000 };
/** Bookmarks come about once a minute. */
const SILENCE_MS = 90_000;

/** Runs until the signal aborts; returns after the first list. */
export async function followPods(options: PodSourceOptions, events: PodEvents): Promise<void> {
  const { clock, logger, signal } = options;
  const known = new Set<string>();
  const loop = createListWatch({
    source: {
      list: () => list(options, known, events),
      watch: (version, _signal, heard) => watch(options, version, { known, events, heard }),
    },
    from: await list(options, known, events),
    backoff: BACKOFF,
    longestRetryAfterMs: BACKOFF.maxMs,
    listsAtOnce: true,
    clock,
    onTrouble: (error) => logger.warn({ error: describeError(error) }, "list or watch of pods failed"),
  });
  loop.run(signal).catch(() => undefined);
}

async function list(
  { kube, nodeName, signal }: PodSourceOptions,
  known: Set<string>,
  events: PodEvents,
): Promise<string> {
  const { items, resourceVersion } = await kube.list(
    PODS,
    { fieldSelector: selector(nodeName), signal },
    parsePod,
  );
  const uids = new Set(items.map(({ uid }) => uid));
  for (const uid of known) if (!uids.has(uid)) forget(uid, known, events);
  for (const pod of items) see(pod, known, events);
  return resourceVersion;
}

async function watch(
  { kube, nodeName, signal }: PodSourceOptions,
  resourceVersion: string,
  { known, events, heard }: { known: Set<string>; events: PodEvents; heard: (version: string) => void },
): Promise<void> {
  const options = {
    fieldSelector: selector(nodeName),
    resourceVersion,
    allowWatchBookmarks: true,
    silenceTimeoutMs: SILENCE_MS,
  };
  for await (const { type, object } of kube.watch(PODS, options, signal)) {
    if (type === "DELETED") forget(parsePod(object).uid, known, events);
    else if (type !== "BOOKMARK") see(parsePod(object), known, events);
    heard(fieldsOf(object, type).child("metadata").text("resourceVersion"));
  }
}

function see(pod: Pod, known: Set<string>, events: PodEvents): void {
  known.add(pod.uid);
  events.seen(pod);
}

function forget(uid: string, known: Set<string>, events: PodEvents): void {
  known.delete(uid);
  events.gone(uid);
}

function selector(nodeName: string): string {
  return `spec.nodeName=${nodeName}`;
}

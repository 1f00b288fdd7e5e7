/** The pods bound to a node, as they come and go: list, then watch, and list again whenever the watch ends. */
import type { KubeClient } from "../../../src/kube/client.ts";
import { PODS } from "../../../src/kube/resources.ts";
import type { Clock } from "../../../src/shared/clock.ts";
import { describeError } from "../../../src/shared/errors.ts";
import type { Logger } from "../../../src/shared/log.ts";
import { fieldsOf } from "./fields.ts";
import { parsePod } from "./parse-pod.ts";
import type { Pod } from "./pod.ts";

export interface PodEvents {
  /** New or changed; may come again unchanged. */
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

const RELIST_AFTER_MS = 1_000;
/** Bookmarks come about once a minute. */
const SILENCE_MS = 90_000;

/** Runs until the signal aborts; returns after the first list. */
export async function followPods(options: PodSourceOptions, events: PodEvents): Promise<void> {
  const { clock, logger, signal } = options;
  const known = new Set<string>();
  let version: string | undefined = await list(options, known, events);
  void (async () => {
    while (!signal.aborted) {
      try {
        version = await (version === undefined
          ? list(options, known, events)
          : watch(options, version, known, events));
      } catch (error) {
        if (signal.aborted) return;
        logger.warn({ error: describeError(error) }, "watch of pods ended, listing again");
        version = undefined;
        await clock.sleep(RELIST_AFTER_MS);
      }
    }
  })();
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

/** Answers the version to go on from when the server ends the watch in good order. */
async function watch(
  { kube, nodeName, signal }: PodSourceOptions,
  from: string,
  known: Set<string>,
  events: PodEvents,
): Promise<string> {
  let version = from;
  const options = {
    fieldSelector: selector(nodeName),
    resourceVersion: from,
    allowWatchBookmarks: true,
    silenceTimeoutMs: SILENCE_MS,
  };
  for await (const { type, object } of kube.watch(PODS, options, signal)) {
    version = fieldsOf(object, type).child("metadata").text("resourceVersion");
    if (type === "BOOKMARK") continue;
    const pod = parsePod(object);
    if (type === "DELETED") forget(pod.uid, known, events);
    else see(pod, known, events);
  }
  return version;
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

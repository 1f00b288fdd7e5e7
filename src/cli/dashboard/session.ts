/** One run of `koncli dashboard`: what it may see, the picture, the server, until it is interrupted. */
import { awakeClock } from "../../client/awake-clock.ts";
import { askUser } from "../../client/client-context.ts";
import { EVENTS, LEASE_REQUESTS, LEASES, type Resource } from "../../kube/resources.ts";
import { learnTime } from "../../kube/server-clock.ts";
import { KonductorError } from "../../shared/errors.ts";
import { VERSION_TEXT } from "../../shared/version.ts";
import type { CommandContext } from "../cli-context.ts";
import { sentenceOf } from "../failure.ts";
import { tryRead } from "../known.ts";
import { createPlainLog } from "../plain-log.ts";
import { readAsset } from "./assets.ts";
import { hasDisplay, openInBrowser } from "./browser.ts";
import { createCalls } from "./calls.ts";
import { END_EVENTS } from "./ended-holds.ts";
import { openPageStream } from "./page-stream.ts";
import { createPicture, type Hidden } from "./picture.ts";
import { startServer } from "./server.ts";
import { openStoryStream } from "./story-stream.ts";

export interface SessionOptions {
  /** 0: any that is free. */
  port: number;
  /** Whether to start the user's browser. */
  open: boolean;
  allNamespaces: boolean;
}

/** Serves until koncli is interrupted. Rejects if kleases may not be listed, or the port cannot be had. */
export async function serveDashboard(
  context: CommandContext,
  { port, open, allNamespaces }: SessionOptions,
): Promise<void> {
  const { cluster, io, server: serverClock, print } = context;
  const { client } = cluster;
  const namespace = allNamespaces ? undefined : cluster.namespace;
  const clock = awakeClock(io.clock);
  const hidden = await findHidden(context, namespace);
  const user = await askUser(client)().catch(() => "");
  const stop = new AbortController();
  const signal = AbortSignal.any([io.signal, stop.signal]);
  const picture = createPicture({
    ...{ client, namespace, clock, server: serverClock, hidden, sentenceOf },
    logger: createPlainLog(io, "warn", ({ msg, error }) => `warning: ${msg}: ${error}`),
  });
  const reader = { client, server: serverClock, clock, sentenceOf, requestsOf: picture.requestsOf };
  const hello = { type: "hello", user, server: cluster.server, namespace, version: VERSION_TEXT } as const;
  let failure: KonductorError | undefined;
  const server = await startServer({
    ...{ port, clock, readAsset, calls: createCalls({ reader, namespace, clock }) },
    openStream: (response) => openPageStream({ response, picture, hello, clock, nowMs: serverClock.nowMs }),
    openStory: (response, hold) => openStoryStream({ response, reader, picture, hold }),
    onTicketReused() {
      failure = ticketReused();
      stop.abort();
    },
  });
  try {
    picture.start(signal);
    print(`${server.url}\n`);
    if (open && hasDisplay(io.env)) await openInBrowser(server.openTicket());
    await aborted(signal);
  } finally {
    stop.abort();
    await server.close();
  }
  if (failure) throw failure;
}

/** What the user may not see. @throws KonductorError `Forbidden` if that is kleases. */
async function findHidden(
  { cluster: { client }, server, io }: CommandContext,
  namespace: string | undefined,
): Promise<Hidden> {
  const first = (resource: Resource, fieldSelector?: string) =>
    client.list(resource, { namespace, fieldSelector, limit: 1, onResponse: server.observe });
  await first(LEASES);
  // The picture has points in time, and nothing asks for the time from then on.
  await learnTime(server, () => first(LEASES), io.signal);
  const requests = await tryRead("list LeaseRequests", namespace, () => first(LEASE_REQUESTS));
  const events = await tryRead("list events", namespace, () => first(EVENTS, END_EVENTS));
  return {
    ...(requests.is === "unread" && { requests: `Who waits is not known: ${requests.why}.` }),
    ...(events.is === "unread" && { events: `Only the last ten holds are known: ${events.why}.` }),
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function ticketReused(): KonductorError {
  const message =
    "the address with which the browser was started was asked for twice, so another user of this machine may have read it, and the " +
    "dashboard was ended: start it with --no-open, and open the printed address yourself";
  return new KonductorError("Forbidden", message);
}

/** The server side of the gate protocol: acquire, renew, announce, release, for pods that prove by a token who they are. */
import type { FastifyPluginCallback, FastifyRequest } from "fastify";
import { aboutLease, aboutPod } from "../../lease/log-fields.ts";
import { hasCode } from "../../shared/errors.ts";
import { defined } from "../../shared/json.ts";
import { PATH } from "../../shared/names.ts";
import { isoTime } from "../../shared/times.ts";
import type { PodIdentity } from "../identity/identity.ts";
import { Refusal } from "../refusal.ts";
import { note } from "../request-notes.ts";
import { acquire } from "./acquire/acquire-for-pod.ts";
import { createFenceLog } from "./acquire/fence-log.ts";
import { createQueueView } from "./acquire/queue-view.ts";
import { createStreams } from "./acquire/streams.ts";
import { createWaiters } from "./acquire/waiters.ts";
import { announce } from "./hold/announce.ts";
import { findEnding, identifyEnding } from "./hold/ending.ts";
import { createLeaseTurns } from "./hold/lease-turns.ts";
import { release } from "./hold/release-for-pod.ts";
import { renew } from "./hold/renew-for-pod.ts";
import { createWrittenRenewals } from "./hold/written-renewals.ts";
import type { GateApiOptions } from "./options.ts";
import { renewedAnswer } from "./wire/answers.ts";
import { createCallRates } from "./wire/call-rates.ts";
import { findCaller } from "./wire/caller.ts";
import { answerErrors } from "./wire/error-answer.ts";
import { requireFresh } from "./wire/freshness.ts";
import { parseAcquire, parseHold, parseRelease, parseRenew } from "./wire/messages.ts";

const BODY_LIMIT_BYTES = 16 * 1024;

export interface GateApi {
  plugin: FastifyPluginCallback;
  /** How many gates wait at this replica. */
  openStreams(): number;
  /**
   * Sends every waiting gate to another replica, and from now on each that comes; every other call is still answered. Resolves when all
   * have been sent.
   */
  drain(): Promise<void>;
}

/** `maxStreams`: how many gates may wait at this replica. */
export function createGateApi(given: GateApiOptions, { maxStreams }: { maxStreams: number }): GateApi {
  const own = { turns: createLeaseTurns(given.clock), renewals: createWrittenRenewals(given.clock) };
  const options = { ...given, ...own };
  const { clock, authenticate, trust } = options;
  const queue = createQueueView(options);
  const waiters = createWaiters(options, queue);
  const streams = createStreams(maxStreams);
  const rates = createCallRates(clock);
  const fences = createFenceLog(options);
  const timed = (answer: object) => ({ ...answer, serverTime: isoTime(clock.nowMs()) });

  async function identify<T>({ headers }: FastifyRequest, by: (token: string) => Promise<T>): Promise<T> {
    const [, token] = headers.authorization?.match(/^Bearer +(\S+)$/i) ?? [];
    if (!token) throw new Refusal("Unauthenticated", "a bearer token is required");
    try {
      return await by(token);
    } catch (error) {
      if (!hasCode(error, "Unauthenticated")) throw error;
      throw new Refusal("Unauthenticated", error.message, { cause: error });
    }
  }

  const plugin: FastifyPluginCallback = (app, _options, done) => {
    const limits = { bodyLimit: BODY_LIMIT_BYTES };
    app.setErrorHandler(answerErrors(options));

    app.post(PATH.acquire, limits, async (request, reply) => {
      requireFresh(options);
      const identity = await identify(request, authenticate);
      rates.take(identity.uid);
      const message = parseAcquire(request.body);
      noteCall(request, identity, { lease: message.lease, token: message.lostToken });
      const pod = await findCaller(options, identity, message.lease);
      note(request, aboutPod(pod));
      await acquire({ options, waiters, queue, streams, fences }, pod, message, reply);
      return reply;
    });

    app.post(PATH.renew, limits, async (request, reply) => {
      const identity = await identify(request, authenticate);
      rates.take(identity.uid);
      const message = parseRenew(request.body);
      noteCall(request, identity, message);
      const pod = await findCaller(options, identity, message.lease);
      note(request, aboutPod(pod));
      // If the keeper was answered elsewhere, or has ended, a late write would renew its hold later than it knows.
      const hasHungUp = () => request.socket.destroyed;
      const renewed = await renew({ ...options, hasHungUp }, pod, message);
      if (renewed.ok) return timed(renewedAnswer(renewed.hold, renewed.ttlMs, trust()));
      const { ok: _, ...refusal } = renewed;
      note(request, { reason: refusal.reason, why: refusal.message });
      return reply.code(409).send(timed(refusal));
    });

    app.post(PATH.announce, limits, async (request) => {
      const sender = await identify(request, (token) => identifyEnding(options, token));
      rates.take(sender.identity.uid);
      const message = parseHold(request.body);
      noteCall(request, sender.identity, message);
      await announce(options, await findEnding(options, sender, message.lease), message);
      return timed({});
    });

    app.post(PATH.release, limits, async (request) => {
      const sender = await identify(request, (token) => identifyEnding(options, token));
      rates.take(sender.identity.uid);
      const message = parseRelease(request.body);
      noteCall(request, sender.identity, message);
      const ending = await findEnding(options, sender, message.lease);
      return timed({ released: await release(options, ending, message) });
    });
    done();
  };

  return {
    plugin,
    openStreams: () => streams.size,
    drain() {
      streams.drain();
      return waiters.drain();
    },
  };
}

/** What the caller's message says, of a pod that may be gone. */
function noteCall(
  request: FastifyRequest,
  { namespace, name: pod }: PodIdentity,
  { lease, token }: { lease: string; token?: number | undefined },
): void {
  note(request, { ...aboutLease({ namespace, name: lease }), pod, ...defined({ token }) });
}

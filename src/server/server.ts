import type { Server as HttpsServer } from "node:https";
import { type FastifyInstance, type FastifyPluginCallback, fastify } from "fastify";
import type { Clock } from "../shared/clock.ts";
import { createFairShare } from "../shared/fair-share.ts";
import type { Logger } from "../shared/log.ts";
import { askForCertificate } from "./admission/client-certificate.ts";
import { answerLog } from "./answer-log.ts";
import { boundBodies } from "./bounds/bounded-bodies.ts";
import { boundConnections } from "./bounds/bounded-connections.ts";
import { boundPipelines } from "./bounds/bounded-pipelines.ts";
import type { Bounds } from "./bounds/bounds.ts";
import { createGateApi } from "./gate-api/gate-api.ts";
import type { GateApiOptions } from "./gate-api/options.ts";
import { loggedPath } from "./logged-path.ts";
import type { Readiness } from "./readiness.ts";
import { Refusal } from "./refusal.ts";

/** The API server closes idle connections after 90 s: closing them first would reset a request now and then. */
const KEEP_IDLE_MS = 95_000;
/** To receive a request, not to answer it: streams go on for as long as they need. */
const RECEIVE_WITHIN_MS = 15_000;
const HEADERS_WITHIN_MS = 5_000;
/** By default Node looks only every 30 s, so that a request that dribbles in would outlive its limit by as much. */
const LOOK_FOR_SLOW_EVERY_MS = 1_000;
const HANDSHAKE_WITHIN_MS = 10_000;
/** After this much silence a peer that may have vanished is probed (TCP keep-alive). */
const FIRST_PROBE_AFTER_MS = 30_000;
/** How long the Service may take to send new connections elsewhere. */
const SETTLE_MS = 2_000;

/** A serving certificate and its key, PEM. */
export interface ServingCertificate {
  cert: string;
  key: string;
}

export interface ServerOptions {
  tls: ServingCertificate;
  admission: FastifyPluginCallback;
  gateApi: GateApiOptions;
  bounds: Bounds;
  /** Who signs the client certificates that admission asks for, PEM; undefined: it asks for none. */
  clientCa?: string | undefined;
  readiness: Readiness;
  clock: Clock;
  logger: Logger;
}

export interface Server {
  /** Does not listen yet; `close()` it after {@link drain}. */
  app: FastifyInstance<HttpsServer>;
  /** New connections get this certificate, those that are open keep theirs. */
  replaceCertificate(tls: ServingCertificate): void;
  /** How many gates wait at this replica. */
  openStreams(): number;
  /** Hands the work over to other replicas: fails readiness, sends waiting gates away, closes idle connections. Still answers all. */
  drain(options?: { settleMs?: number }): Promise<void>;
}

/** The HTTPS server of admission and the gate API. */
export function createServer({
  tls,
  admission,
  gateApi,
  bounds,
  clientCa,
  readiness,
  clock,
  logger,
}: ServerOptions): Server {
  const secured = {
    minVersion: "TLSv1.2",
    ...(clientCa !== undefined && askForCertificate(clientCa)),
  } as const;
  const app = fastify({
    https: {
      ...tls,
      ...secured,
      handshakeTimeout: HANDSHAKE_WITHIN_MS,
      headersTimeout: HEADERS_WITHIN_MS,
      connectionsCheckingInterval: LOOK_FOR_SLOW_EVERY_MS,
      keepAlive: true,
      keepAliveInitialDelay: FIRST_PROBE_AFTER_MS,
    },
    keepAliveTimeout: KEEP_IDLE_MS,
    requestTimeout: RECEIVE_WITHIN_MS,
    logger: false,
  });
  const connections = boundConnections(app.server, bounds.connections);
  boundPipelines(app.server);
  const gates = createGateApi(gateApi, { maxStreams: bounds.streams });
  let isDraining = false;

  app.addHook("onListen", (done) => {
    readiness.serving();
    done();
  });
  app.addHook("onSend", (_request, reply, payload, done) => {
    if (isDraining || connections.isCrowded() || !reply.raw.shouldKeepAlive)
      reply.header("connection", "close");
    // fastify wants to close after a body that is too long: a client that is still sending would see a reset, and no answer. What
    // still comes is thrown away.
    else reply.removeHeader("connection");
    done(null, payload);
  });
  app.addHook("onResponse", answerLog(logger));
  // Before the body is read: the bounds of bodies are those of the paths that there are.
  app.addHook("onRequest", (request, reply, done) => {
    if (!request.is404) return done();
    const message = `there is nothing at ${request.method} ${loggedPath(request.url)}`;
    reply.code(404).send({ reason: "NotFound", message });
  });
  app.register(admission);
  app.register((scope, _options, done) => {
    const busy = () => new Refusal("NotReady", "too many long messages are coming in; try again");
    scope.addHook(
      "preParsing",
      boundBodies({ budget: createFairShare(bounds.messageBytes), refuse: busy, until: "received" }),
    );
    scope.register(gates.plugin);
    done();
  });

  return {
    app,
    replaceCertificate: (certificate) => app.server.setSecureContext({ ...certificate, ...secured }),
    openStreams: gates.openStreams,
    async drain({ settleMs = SETTLE_MS } = {}) {
      readiness.drain();
      // Before anything is closed, callers are told to use a new connection: a call on one that closes just then would fail.
      isDraining = true;
      await clock.sleep(settleMs);
      const sentAway = gates.drain();
      app.server.closeIdleConnections();
      await sentAway;
    },
  };
}

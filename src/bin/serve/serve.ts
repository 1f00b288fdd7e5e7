import { readFile } from "node:fs/promises";
import { KubeConfig } from "@kubernetes/client-node";
import { createArbiter } from "../../controller/arbiter.ts";
import { createKubeClient } from "../../kube/client.ts";
import { createEventRecorder } from "../../kube/events.ts";
import { createLeaderElector } from "../../kube/leader-election.ts";
import { createServerClock, learnTime } from "../../kube/server-clock.ts";
import { aboutObject } from "../../lease/log-fields.ts";
import { createMetrics } from "../../metrics/metrics.ts";
import { type Caches, createCaches } from "../../objects/caches.ts";
import { createClusterFeatures } from "../../objects/features.ts";
import { areFresh } from "../../objects/freshness.ts";
import { createLeaseReporter } from "../../objects/lease-reporter.ts";
import { createLimitRanges } from "../../objects/limit-ranges.ts";
import { checkClientCa } from "../../server/admission/client-certificate.ts";
import { admissionPlugin } from "../../server/admission/plugin.ts";
import { boundsFor } from "../../server/bounds/bounds.ts";
import { createHealthServer } from "../../server/health.ts";
import { createAuthenticate } from "../../server/identity/authenticate.ts";
import { createPublishedKeys } from "../../server/identity/published-keys.ts";
import { createVerifySignature } from "../../server/identity/verify-signature.ts";
import { createReadiness } from "../../server/readiness.ts";
import { createServer } from "../../server/server.ts";
import type { Clock } from "../../shared/clock.ts";
import type { Logger } from "../../shared/log.ts";
import { accountName, ELECTION_LEASE, EVENT_COMPONENT, WEBHOOK_CONFIGURATION } from "../../shared/names.ts";
import { VERSION_TEXT } from "../../shared/version.ts";
import { patchCaBundle } from "../../tls/ca-bundle.ts";
import { certificateSource, servedBy } from "./certificate.ts";
import { checkAccount, imageWarning } from "./check-install.ts";
import type { ServeConfig } from "./config.ts";
import { createEventShare } from "./event-share.ts";
import { findGateAddress, serviceNames } from "./gate-address.ts";
import { readGateProgram } from "./gate-program.ts";
import { persist } from "./persist.ts";
import { createRecorders } from "./recorders.ts";
import { trialNotices } from "./trial-notices.ts";
import { keepUp } from "./upkeep.ts";

export interface ServeOptions {
  config: ServeConfig;
  /** The machine's clock. Nothing uses its time of day: see {@link createServerClock}. */
  clock: Clock;
  logger: Logger;
  /** What this process may use. */
  memoryBytes: number;
  /** Aborts when the replica should hand its work over and end. */
  signal: AbortSignal;
}

/** How often to refresh what rarely changes: the server's version, our Service, the webhook's caBundle, the certificate. */
const UPKEEP_EVERY_MS = 15_000;

/** A slow answer says little about the time. */
const ASK_TIME_WITHIN_MS = 1_000;

/** Limit for sending the last events and spans; they are for people, so losing some does no harm. */
const LAST_EVENTS_MS = 3_000;

/** Runs one replica until `signal` aborts and its work is handed over. */
export async function serve({
  config,
  clock: machine,
  logger,
  memoryBytes,
  signal,
}: ServeOptions): Promise<void> {
  const { namespace, identity, admissionClientCa, gateProgram } = config;
  // First: a bad file must fail before anything is started.
  const clientCa =
    admissionClientCa === undefined ? undefined : checkClientCa(await readFile(admissionClientCa, "utf8"));
  const program = gateProgram === undefined ? undefined : await readGateProgram(gateProgram);
  const clock = createServerClock(machine);
  const metrics = createMetrics({ version: VERSION_TEXT, memoryBytes, clock });
  metrics.observeProcess();
  const {
    arbiter: recorder,
    onAdmissionAnswered,
    tracing,
  } = createRecorders(config, metrics, { clock, logger });
  const client = createKubeClient({
    kubeConfig: loadKubeConfig(config.kubeconfig),
    userAgent: `konductor/${VERSION_TEXT}`,
    logger,
    clock,
    onResponse: clock.observe,
    onCall: metrics.onKubeCall,
  });
  // Aborts later than `signal`: requests need the caches until the very end.
  const ending = new AbortController();
  const caches = createCaches({ client, clock, logger });
  const limitRanges = createLimitRanges({ client, clock, logger });
  limitRanges.start(ending.signal);
  const readiness = createReadiness({ unsynced: startCaches(caches, ending.signal) });
  const health = createHealthServer({ readiness, metrics: metrics.page });
  await health.listen({ host: config.bindAddress, port: config.healthPort });

  const patiently = <T>(what: string, action: () => Promise<T>) =>
    persist(action, { what, clock, logger, signal });
  const features = createClusterFeatures({ client, nodes: caches.nodes, mode: config.selfFencing });
  await patiently("read the server's version", () => features.refresh());
  const ask = () => client.raw("GET", "/version", undefined, { timeoutMs: ASK_TIME_WITHIN_MS });
  const timeLearned = learnTime(clock, ask, signal);
  const address = await patiently("find our own Service", () =>
    findGateAddress(client, namespace, config.gateUrl),
  );
  const currentCertificate = certificateSource(config, { client, clock, logger });
  let certificate = await patiently("get a serving certificate", currentCertificate);
  const trustUs = async () => {
    if (!config.writeCaBundle) return;
    await patchCaBundle({
      client,
      name: WEBHOOK_CONFIGURATION,
      caBundlePem: certificate.caBundlePem,
      keepValidAtMs: config.certDir === undefined ? undefined : clock.nowMs(),
    });
  };
  await patiently("write the caBundle of our webhook configuration", trustUs);
  if (config.writeCaBundle)
    await patiently("use our webhook configuration", () => checkAccount(client, namespace));
  const warning = await patiently("read our own pod", () => imageWarning(client, config));
  if (warning) logger.warn(warning);
  await Promise.all([...Object.values(caches).map((cache) => cache.synced), timeLearned]);

  const share = createEventShare({ client, namespace, isArbiter: () => elector.isLeader() });
  await patiently("count our replicas", share.refresh);
  const events = createEventRecorder({
    ...{ client, clock, logger, component: EVENT_COMPONENT, instance: identity },
    ...{ perSecond: share.perSecond, about: aboutObject, onLost: metrics.onEventLost },
  });
  const reporter = createLeaseReporter({
    ...{ events, recorder: metrics.holds, logger, onChange: tracing?.onChange },
  });
  const arbiter = createArbiter({
    ...config,
    systemNamespace: namespace,
    ...{ client, caches, events, reporter, recorder, clock, logger },
  });
  const elector = createLeaderElector({
    client,
    namespace,
    name: ELECTION_LEASE,
    identity,
    ...config.electionTimes,
    clock,
    logger,
    isFit: () => areFresh(Object.values(caches), clock),
    onStartedLeading: (term) => arbiter.runTerm(term),
  });
  const verifySignature = createVerifySignature({ keys: createPublishedKeys({ client, clock }), clock });
  const bounds = boundsFor(memoryBytes);
  const server = createServer({
    tls: servedBy(certificate),
    admission: admissionPlugin(
      {
        features: () => features,
        leases: { get: (leaseNamespace, name) => caches.leases.store.get(`${leaseNamespace}/${name}`)?.spec },
        injection: () => ({
          image: config.image,
          nodePath: config.nodePath,
          program,
          imagePullSecrets: config.imagePullSecrets,
          runAsUser: config.runAsUser,
          resources: config.resources,
          url: address.url,
          host: serviceNames(namespace)[0] ?? "",
          ca: certificate.caBundlePem,
          version: VERSION_TEXT,
        }),
        limitRanges,
        imageArchitectures: config.imageArchitectures,
        notices: trialNotices(VERSION_TEXT),
        account: accountName(namespace),
        systemNamespaces: ["kube-system", namespace],
        createMissingLeases: config.createMissingLeases,
        newTraceParent: tracing?.newTraceParent,
        clock,
        logger,
      },
      {
        ...bounds,
        needsCertificate: clientCa !== undefined,
        onAnswered: onAdmissionAnswered,
      },
    ),
    gateApi: {
      client,
      caches,
      events,
      reporter,
      authenticate: createAuthenticate({ client, clock, caches, verifySignature }),
      verifySignature,
      trust: () => ({ ca: certificate.caBundlePem, urls: [address.url] }),
      clock,
      logger,
      systemNamespace: namespace,
      createMissingLeases: config.createMissingLeases,
    },
    bounds,
    clientCa,
    readiness,
    clock,
    logger,
  });
  await server.app.listen({ host: config.bindAddress, port: config.securePort });
  readiness.serving();
  logger.info({ url: address.url, selfFencing: features.canFence({}), bounds }, "serving");

  metrics.observe({
    caches,
    isLeader: elector.isLeader,
    openStreams: server.openStreams,
    certificateNotAfterMs: () => certificate.notAfterMs,
    leases: config.metricsLeases,
    clock,
  });
  async function renewCertificate(): Promise<void> {
    certificate = await currentCertificate();
    server.replaceCertificate(servedBy(certificate));
  }
  await Promise.all([
    elector.run(signal),
    keepUp(
      {
        tasks: [() => features.refresh(), () => address.refresh(), renewCertificate, trustUs, share.refresh],
        everyMs: Math.min(UPKEEP_EVERY_MS, config.lives.servingMs / 10),
      },
      { clock, logger, signal },
    ),
  ]);

  await server.drain();
  await server.app.close();
  await Promise.all([
    events.flush(LAST_EVENTS_MS),
    Promise.race([tracing?.flush(), clock.sleep(LAST_EVENTS_MS)]),
  ]);
  await health.close();
  ending.abort();
  await Promise.all([client.close(), tracing?.close()]);
}

function loadKubeConfig(path: string | undefined): KubeConfig {
  const kubeConfig = new KubeConfig();
  if (path === undefined) kubeConfig.loadFromCluster();
  else kubeConfig.loadFromFile(path);
  return kubeConfig;
}

/** Starts all caches and returns a function that names those not filled yet. */
function startCaches(caches: Caches, signal: AbortSignal): () => string[] {
  const unsynced = new Set(Object.keys(caches));
  for (const [name, cache] of Object.entries(caches)) {
    cache.start(signal);
    void cache.synced.then(() => unsynced.delete(name));
  }
  return () => [...unsynced];
}

import { readFile } from "node:fs/promises";
import type { RequestOptions } from "node:https";
import { isDeepStrictEqual } from "node:util";
import type { KubeConfig } from "@kubernetes/client-node";
import { Agent, type Dispatcher, ProxyAgent, Socks5ProxyAgent } from "undici";
import type { Clock } from "../shared/clock.ts";
import { KonductorError } from "../shared/errors.ts";
import { defined, record, text, textMap } from "../shared/json.ts";

/** What one call needs to reach the API server as the kubeconfig's current user. */
export interface Session {
  dispatcher: Dispatcher;
  headers: Headers;
}

export type Headers = Readonly<Record<string, string | string[]>>;

export interface CredentialsOptions {
  kubeConfig: KubeConfig;
  clock: Clock;
  /** Sent with every call, in place of those that the kubeconfig gives. */
  headers?: Headers | undefined;
  /** Used if the cluster of the kubeconfig names no proxy. */
  proxyUrl?: string | undefined;
  /** Called when the API server has refused the credentials: authenticators of the kubeconfig forget what they have cached. */
  onRefused?: (() => void) | undefined;
}

export interface Credentials {
  session(): Promise<Session>;
  /** Gets the credentials anew, since the API server has refused those of a session. undefined: they are still the same. */
  renewed(refused: Session): Promise<Session | undefined>;
  close(): Promise<void>;
}

/** Tokens and certificates in files rotate; one read in this time is enough for all calls together. */
const REREAD_AFTER_MS = 1_000;

/** The API server keeps idle connections for 90 s: we must be the first to let go, or a request meets a closing connection. */
const KEEP_IDLE_MS = 60_000;

/**
 * TCP probes start after this much silence (then each second, ten of them): a watch whose peer vanished without a word fails
 * after about 20 s instead of waiting for its timeout.
 */
const FIRST_PROBE_AFTER_MS = 10_000;

const PROXY_PROTOCOLS = ["http:", "https:", "socks:", "socks5:", "socks5h:"];
const CONNECT_TIMEOUT_MS = 5_000;

/**
 * The current user's authentication and one keep-alive dispatcher for all calls, replaced only when certificates change.
 * Credential plugins are asked through KubeConfig, which caches their answers by their own expiry. That is a time of day, so what the API
 * server refuses is got anew, whatever this machine's clock says. A plugin may take as long as a login takes.
 */
export function createCredentials(own: CredentialsOptions): Credentials {
  const { kubeConfig, clock } = own;
  let current: Promise<Session> | undefined;
  /** What was read last, unless it was refused. */
  let latest: Session | undefined;
  let readAtMs = 0;
  let dispatcher: { key: string; value: Dispatcher } | undefined;

  async function read(): Promise<Session> {
    const options: RequestOptions = { headers: {} };
    await kubeConfig.applyToHTTPSOptions(options);
    const headers = textMap(options.headers);
    const tokenFile = text(record(record(kubeConfig.getCurrentUser()?.authProvider)["config"])["tokenFile"]);
    // KubeConfig reads it once a minute, by a clock that may be set back for hours.
    if (tokenFile !== undefined)
      headers["Authorization"] = `Bearer ${(await readFile(tokenFile, "utf8")).trim()}`;
    if (options.auth) headers["authorization"] = `Basic ${Buffer.from(options.auth).toString("base64")}`;
    const key = [options.ca, options.cert, options.key, options.pfx].map(String).join("\n");
    if (dispatcher?.key !== key) {
      const outdated = dispatcher?.value;
      dispatcher = { key, value: createDispatcher(own, options) };
      outdated?.close().catch(() => undefined); // running calls and watches end in their own time
    }
    latest = { dispatcher: dispatcher.value, headers: { ...headers, ...own.headers } };
    return latest;
  }

  async function session(): Promise<Session> {
    if (current === undefined || clock.monotonicMs() - readAtMs > REREAD_AFTER_MS) {
      // Not again while this one takes its time.
      readAtMs = Number.POSITIVE_INFINITY;
      current = read().finally(() => {
        readAtMs = clock.monotonicMs();
      });
    }
    try {
      return await current;
    } catch (cause) {
      current = undefined;
      if (cause instanceof KonductorError) throw cause;
      throw new KonductorError(
        "Unauthenticated",
        "cannot get the credentials that the kubeconfig describes",
        { cause },
      );
    }
  }

  return {
    session,
    async renewed(refused) {
      // Once for all calls that were refused with the same credentials.
      if (latest && isSame(latest, refused)) {
        latest = undefined;
        current = undefined;
        own.onRefused?.();
      }
      const renewed = await session();
      return isSame(renewed, refused) ? undefined : renewed;
    },
    async close() {
      await dispatcher?.value.close();
    },
  };
}

function isSame(one: Session, other: Session): boolean {
  return one.dispatcher === other.dispatcher && isDeepStrictEqual(one.headers, other.headers);
}

function createDispatcher({ kubeConfig, ...own }: CredentialsOptions, options: RequestOptions): Dispatcher {
  const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = options;
  const tls = defined({ ca, cert, key, pfx, passphrase, rejectUnauthorized, servername });
  const proxyUrl = kubeConfig.getCurrentCluster()?.proxyUrl || own.proxyUrl;
  const connect = {
    ...tls,
    keepAlive: true,
    keepAliveInitialDelay: FIRST_PROBE_AFTER_MS,
    timeout: CONNECT_TIMEOUT_MS,
  };
  const common = {
    allowH2: false, // one socket for each watch: with HTTP/2 a single stalled connection would silence them all
    keepAliveTimeout: KEEP_IDLE_MS,
    keepAliveMaxTimeout: KEEP_IDLE_MS,
  };
  if (!proxyUrl) return new Agent({ ...common, connect });
  const { protocol, host } = URL.parse(proxyUrl) ?? {};
  if (!PROXY_PROTOCOLS.includes(protocol ?? ""))
    throw new KonductorError(
      "BadRequest",
      `the proxy ${host ?? "of the kubeconfig or of HTTPS_PROXY"} cannot be used: an http, https or socks5 URL is allowed; see HTTPS_PROXY and proxy-url`,
    );
  if (proxyUrl.startsWith("socks"))
    return new Socks5ProxyAgent(proxyUrl.replace(/^socks5h:/, "socks5:"), { ...common, requestTls: tls });
  return new ProxyAgent({ ...common, uri: proxyUrl, requestTls: tls });
}

/**
 * The program that gets a user's credentials, as clouds have it (KEP-541; client-go plugin/pkg/client/auth/exec): run as kubectl runs it. Its
 * stderr is the user's, since it may ask for a login there; it is told what the call is for, and may take as long as a login takes.
 * client-node's own runs it without all that.
 *
 * Its credentials are kept until they expire by this machine's clock, or until they are forgotten since the API server refuses them.
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import type { Cluster, KubeConfig, User } from "@kubernetes/client-node";
import { KonductorError } from "../shared/errors.ts";
import { defined, flag, list, parseJson, record, text, textMap, timeMs } from "../shared/json.ts";

type Authenticator = Parameters<KubeConfig["addAuthenticator"]>[0];

/** What client-node would take for its own to run is known to it by this name instead. */
export const EXEC_PLUGIN = "konductor-exec-plugin";

export interface ExecPluginOptions {
  env: Readonly<Record<string, string | undefined>>;
  /** Whether somebody at a terminal can be asked. */
  isInteractive: boolean;
  /** The cluster that the credentials are for. */
  cluster(): Pick<
    Cluster,
    "server" | "caData" | "caFile" | "skipTLSVerify" | "tlsServerName" | "proxyUrl"
  > | null;
}

/** A file of credentials has no more. */
const MOST_CHARACTERS = 2 ** 20;

interface Credentials {
  token?: string;
  cert?: string;
  key?: string;
  expiresMs?: number;
}

/** Runs the program of users whose `authProvider` is {@link EXEC_PLUGIN}, with its configuration as the kubeconfig has it. */
export function execPlugin(options: ExecPluginOptions): Authenticator & { forget(): void } {
  const known = new Map<string, Credentials>();
  return {
    forget: () => known.clear(),
    isAuthProvider: ({ authProvider }: User) => record(authProvider)["name"] === EXEC_PLUGIN,
    async applyAuthentication({ name, authProvider }, requestOptions) {
      let credentials = known.get(name);
      if (!credentials || (credentials.expiresMs ?? Number.POSITIVE_INFINITY) <= Date.now()) {
        credentials = await run(record(record(authProvider)["config"]), options);
        known.set(name, credentials);
      }
      const { token, cert, key } = credentials;
      Object.assign(requestOptions, defined({ cert, key }));
      if (token !== undefined)
        requestOptions.headers = { ...textMap(requestOptions.headers), Authorization: `Bearer ${token}` };
    },
  };
}

async function run(config: Record<string, unknown>, options: ExecPluginOptions): Promise<Credentials> {
  const { env, isInteractive } = options;
  const command = text(config["command"]) ?? "";
  const refuse = (what: string, cause?: unknown) => {
    const hint = text(config["installHint"]);
    return new KonductorError(
      "Unauthenticated",
      `the kubeconfig's credential plugin ${command} ${what}${hint === undefined ? "" : `; ${hint.trim()}`}`,
      cause === undefined ? {} : { cause },
    );
  };
  const mode = text(config["interactiveMode"]) ?? "IfAvailable";
  if (mode === "Always" && !isInteractive)
    throw refuse("wants to ask somebody (interactiveMode: Always), and there is no terminal");
  const mayAsk = mode !== "Never" && isInteractive;
  const own = list(config["env"])
    .map(record)
    .map((entry) => [text(entry["name"]) ?? "", text(entry["value"]) ?? ""]);
  const child = spawn(command, list(config["args"]).map(String), {
    stdio: [mayAsk ? "inherit" : "ignore", "pipe", "inherit"],
    env: {
      ...env,
      ...Object.fromEntries(own),
      KUBERNETES_EXEC_INFO: JSON.stringify(execInfo(config, mayAsk, options)),
    },
  });
  let out = "";
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => {
    if (out.length <= MOST_CHARACTERS) out += chunk;
  });
  const code = await new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
    child.once("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "ENOENT" ? refuse("is not there: install it") : refuse("cannot be run", error)),
    );
    child.once("close", (exitCode, signal) => resolve(exitCode ?? signal));
  });
  if (code !== 0) throw refuse(`ended with ${code}`);
  const answer = record(parseJson(out));
  const status = record(answer["status"]);
  const credentials = defined({
    token: text(status["token"]),
    cert: text(status["clientCertificateData"]),
    key: text(status["clientKeyData"]),
    expiresMs: timeMs(status["expirationTimestamp"]),
  });
  const isComplete =
    credentials.token !== undefined || (credentials.cert !== undefined && credentials.key !== undefined);
  if (out.length > MOST_CHARACTERS || answer["kind"] !== "ExecCredential" || !isComplete)
    throw refuse("wrote no ExecCredential with a token, or a certificate and its key");
  return credentials;
}

/** What the program is told of the call (client.authentication.k8s.io ExecCredential). */
function execInfo(config: Record<string, unknown>, interactive: boolean, { cluster }: ExecPluginOptions) {
  const { server, caData, caFile, skipTLSVerify, tlsServerName, proxyUrl } = cluster() ?? {};
  const about = defined({
    server,
    "certificate-authority-data": caData ?? (caFile ? readFileSync(caFile).toString("base64") : undefined),
    "insecure-skip-tls-verify": skipTLSVerify || undefined,
    "tls-server-name": tlsServerName || undefined,
    "proxy-url": proxyUrl || undefined,
  });
  return {
    apiVersion: text(config["apiVersion"]) ?? "client.authentication.k8s.io/v1",
    kind: "ExecCredential",
    spec: { interactive, ...(flag(config["provideClusterInfo"]) && { cluster: about }) },
  };
}

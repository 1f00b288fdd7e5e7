/**
 * The kubeconfig that kubectl would use (k8s.io/client-go/tools/clientcmd): `file` alone, or the files of $KUBECONFIG, or ~/.kube/config,
 * or the pod's service account. Where several files define the same name, or a current context, the first one wins; a file of $KUBECONFIG
 * that does not exist counts as empty.
 */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { KubeConfig, type User } from "@kubernetes/client-node";
import { parse } from "yaml";
import { KonductorError } from "../shared/errors.ts";
import { defined, list, record, text } from "../shared/json.ts";
import { EXEC_PLUGIN, execPlugin } from "./exec-plugin.ts";

export type Env = Readonly<Record<string, string | undefined>>;

/** The user that a call impersonates. */
export interface Impersonation {
  user?: string;
  groups?: readonly string[];
  uid?: string;
  extra?: Readonly<Record<string, readonly string[]>>;
}

export interface LoadedKubeConfig {
  kubeConfig: KubeConfig;
  /** What the file says of a user beyond what client-node reads. */
  impersonationOf(user: string): Impersonation;
  /** Has a credential plugin asked again. */
  forgetCredentials(): void;
}

const SERVICE_ACCOUNT_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token";
/** User fields that client-node does not read. */
const MORE = /\b(as-groups|as-uid|as-user-extra|tokenFile)\b/;

/**
 * `isInteractive`: a credential plugin may ask the user. Throws `BadRequest` for a file that cannot be read, and where nothing names a cluster.
 */
export function loadKubeConfig(file: string | undefined, env: Env, isInteractive = false): LoadedKubeConfig {
  const found = file === undefined ? defaultFiles(env).filter((path) => existsSync(path)) : [file];
  const loaded = found.map(readConfig).filter((config) => config !== undefined);
  const merged = new KubeConfig();
  if (loaded.length === 0) {
    if (env["KUBERNETES_SERVICE_HOST"] === undefined || !existsSync(SERVICE_ACCOUNT_TOKEN))
      throw new KonductorError(
        "BadRequest",
        "no kubeconfig was found; name one with --kubeconfig or $KUBECONFIG",
      );
    merged.loadFromCluster();
    return { kubeConfig: merged, impersonationOf: () => ({}), forgetCredentials: () => undefined };
  }
  const configs = loaded.map(({ config }) => config);
  const plugin = execPlugin({ env, isInteractive, cluster: () => merged.getCurrentCluster() });
  merged.addAuthenticator(plugin);
  merged.loadFromOptions({
    clusters: firstOfEach(configs.flatMap((config) => config.getClusters())),
    users: firstOfEach(loaded.flatMap(usersOf)),
    contexts: firstOfEach(configs.flatMap((config) => config.getContexts())),
    currentContext: configs.map((config) => config.getCurrentContext()).find((name) => name) ?? "",
  });
  return {
    kubeConfig: merged,
    forgetCredentials: plugin.forget,
    impersonationOf(user) {
      const source = loaded.find(({ config }) => config.getUser(user));
      if (!source) return {};
      const as = source.config.getUser(user)?.impersonateUser ?? undefined;
      return { ...defined({ user: as }), ...readImpersonation(source, user) };
    },
  };
}

interface ConfigFile {
  config: KubeConfig;
  content: string;
  dir: string;
}

function defaultFiles(env: Env): string[] {
  const named = (env["KUBECONFIG"] ?? "").split(delimiter).filter((path) => path !== "");
  return named.length > 0 ? [...new Set(named)] : [join(env["HOME"] ?? homedir(), ".kube", "config")];
}

/** Returns undefined for an empty file. */
function readConfig(path: string): ConfigFile | undefined {
  try {
    const content = readFileSync(path, "utf8");
    if (content.replaceAll(/^\s*(#.*|---)$/gm, "").trim() === "") return undefined;
    const config = new KubeConfig();
    config.loadFromString(content);
    config.makePathsAbsolute(dirname(resolve(path)));
    return { config, content, dir: dirname(resolve(path)) };
  } catch (cause) {
    throw new KonductorError(
      "BadRequest",
      `the kubeconfig ${path} cannot be read; name another with --kubeconfig`,
      { cause },
    );
  }
}

function firstOfEach<T extends { name: string }>(entries: readonly T[]): T[] {
  return [...new Map(entries.toReversed().map((entry) => [entry.name, entry])).values()].toReversed();
}

/** The file's entry for this user. */
function readUser({ content }: ConfigFile, name: string): Record<string, unknown> {
  if (!MORE.test(content)) return {};
  const users = list(record(parse(content))["users"]).map(record);
  return record(users.find((user) => user["name"] === name)?.["user"]);
}

/**
 * A `tokenFile` takes precedence over a token beside it, and is read again when it is replaced. A plugin's relative path begins at its
 * kubeconfig; a name without a slash is looked for on the PATH.
 */
function usersOf(file: ConfigFile): User[] {
  return file.config.getUsers().map((user) => {
    if (user.exec) return withPlugin(user, file.dir);
    const tokenFile = text(readUser(file, user.name)["tokenFile"]);
    if (tokenFile === undefined) return user;
    const { token: _, ...others } = user;
    return {
      ...others,
      authProvider: { name: "tokenFile", config: { tokenFile: resolve(file.dir, tokenFile) } },
    };
  });
}

function withPlugin({ exec, ...others }: User, dir: string): User {
  const config = record(exec);
  const command = text(config["command"]) ?? "";
  const path = command.includes("/") ? resolve(dir, command) : command;
  return { ...others, authProvider: { name: EXEC_PLUGIN, config: { ...config, command: path } } };
}

function readImpersonation(file: ConfigFile, name: string): Impersonation {
  const user = readUser(file, name);
  const texts = (value: unknown) => list(value).map(String);
  const extra = Object.entries(record(user["as-user-extra"])).map(([key, values]) => [key, texts(values)]);
  return defined({
    groups: user["as-groups"] === undefined ? undefined : texts(user["as-groups"]),
    uid: text(user["as-uid"]),
    extra: extra.length > 0 ? Object.fromEntries(extra) : undefined,
  });
}

/**
 * As headers of a call (https://kubernetes.io/docs/reference/access-authn-authz/user-impersonation/).
 * Throws `BadRequest` where it names no user.
 */
export function impersonationHeaders({
  user,
  groups = [],
  uid,
  extra = {},
}: Impersonation): Record<string, string | string[]> {
  const isMore = groups.length > 0 || uid !== undefined || Object.keys(extra).length > 0;
  if (user === undefined && isMore)
    throw new KonductorError(
      "BadRequest",
      "groups, uid or extra of somebody else are asked for without a user; name one with --as",
    );
  const extras = Object.entries(extra).map(([key, values]) => [
    `Impersonate-Extra-${encodeURIComponent(key)}`,
    [...values],
  ]);
  return {
    ...defined({ "Impersonate-User": user, "Impersonate-Uid": uid }),
    ...(groups.length > 0 && { "Impersonate-Group": [...groups] }),
    ...Object.fromEntries(extras),
  };
}

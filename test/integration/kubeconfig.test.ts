/** Which cluster koncli calls, and as whom: the same as kubectl for every kubeconfig, environment and set of flags. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { type AddressInfo, connect as connectTcp } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, inject, onTestFinished, test } from "vitest";
import type { ClusterFlags } from "../../src/client/cluster.ts";
import { connect } from "../../src/client/connect.ts";
import { loadKubeConfig } from "../../src/client/kubeconfig.ts";
import { list, record, text } from "../../src/shared/json.ts";
import { koncli, writeKubeconfig } from "./koncli.ts";
import { kubectlOf } from "./kubectl.ts";

const cluster = inject("cluster");
const kubectl = kubectlOf(cluster);
let dir: string;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "konductor-kubeconfig-"));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

type Env = Readonly<Record<string, string>>;

/** kubectl with only `env` as its environment; resolves with its stdout, rejects with its stderr. */
async function kubectlIn(env: Env, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(cluster.kubectlPath, args, { env: { HOME: dir, ...env } });
  return stdout;
}

const entry = (name: string, kind: string, value: object) => ({ name, [kind]: value });
const FILES: Readonly<Record<string, object | string>> = {
  one: {
    "current-context": "first",
    clusters: [
      entry("shared", "cluster", { server: "https://one:1" }),
      entry("own", "cluster", { server: "https://one:2" }),
    ],
    users: [entry("shared", "user", { token: "one" })],
    contexts: [entry("first", "context", { cluster: "shared", user: "shared", namespace: "of-one" })],
  },
  two: {
    "current-context": "second",
    clusters: [
      entry("shared", "cluster", { server: "https://two:1", "tls-server-name": "two" }),
      entry("other", "cluster", { server: "https://two:2", "certificate-authority": "ca.crt" }),
    ],
    users: [
      entry("shared", "user", { token: "two", as: "ada" }),
      entry("other", "user", { "client-certificate": "sub/client.crt", "client-key": "sub/client.key" }),
    ],
    contexts: [
      entry("first", "context", { cluster: "other", user: "other", namespace: "of-two" }),
      entry("second", "context", { cluster: "other", user: "other" }),
    ],
  },
  "without-current": {
    clusters: [entry("third", "cluster", { server: "https://three:1" })],
    users: [],
    contexts: [entry("third", "context", { cluster: "third", user: "nobody" })],
  },
  empty: "",
  comments: "# nothing yet\n---\n",
};

/** The parts of a kubeconfig that decide which cluster is called, and as whom. */
function meaning(config: {
  current: unknown;
  clusters: readonly Record<string, unknown>[];
  users: readonly Record<string, unknown>[];
  contexts: readonly Record<string, unknown>[];
}) {
  const byName = (entries: readonly Record<string, unknown>[]) =>
    entries.toSorted((a, b) => String(a["name"]).localeCompare(String(b["name"])));
  return {
    current: config.current,
    clusters: byName(config.clusters),
    users: byName(config.users),
    contexts: byName(config.contexts),
  };
}

function ours(env: Env) {
  const { kubeConfig } = loadKubeConfig(undefined, env);
  return meaning({
    current: kubeConfig.getCurrentContext(),
    clusters: kubeConfig.getClusters().map(({ name, server, caFile, tlsServerName }) => ({
      name,
      server,
      ca: caFile,
      serverName: tlsServerName,
    })),
    users: kubeConfig.getUsers().map(({ name, token, certFile, keyFile, impersonateUser }) => ({
      ...{ name, token, cert: certFile, key: keyFile, as: impersonateUser ?? undefined },
    })),
    contexts: kubeConfig
      .getContexts()
      .map(({ name, cluster: of, user, namespace }) => ({ name, cluster: of, user, namespace })),
  });
}

async function kubectls(env: Env) {
  const config = record(JSON.parse(await kubectlIn(env, "config", "view", "--raw", "-o", "json")));
  // As written: relative to the file.
  const inDir = (path: unknown) => (typeof path === "string" ? join(dir, path) : undefined);
  const named = (plural: string, kind: string) =>
    list(config[plural]).map((each) => ({ name: record(each)["name"], ...record(record(each)[kind]) }));
  return meaning({
    current: config["current-context"],
    clusters: named("clusters", "cluster").map((of: Record<string, unknown>) => ({
      ...{ name: of["name"], server: of["server"], ca: inDir(of["certificate-authority"]) },
      serverName: of["tls-server-name"],
    })),
    users: named("users", "user").map((of: Record<string, unknown>) => ({
      ...{ name: of["name"], token: of["token"], cert: inDir(of["client-certificate"]) },
      ...{ key: inDir(of["client-key"]), as: of["as"] },
    })),
    contexts: named("contexts", "context").map((of: Record<string, unknown>) => ({
      ...{ name: of["name"], cluster: of["cluster"], user: of["user"], namespace: of["namespace"] },
    })),
  });
}

describe("the first of several files takes precedence, as in kubectl", () => {
  beforeAll(async () => {
    for (const [name, content] of Object.entries(FILES))
      await writeFile(
        join(dir, name),
        typeof content === "string"
          ? content
          : JSON.stringify({ apiVersion: "v1", kind: "Config", ...content }),
      );
    await mkdir(join(dir, ".kube"), { recursive: true });
    await writeFile(join(dir, ".kube/config"), JSON.stringify({ kind: "Config", ...record(FILES["one"]) }));
  });

  test.each([
    ["one", "two"],
    ["two", "one"],
    ["one", "one"],
    ["without-current", "two"],
    ["without-current"],
    ["missing", "two"],
    ["one", "missing"],
    ["empty", "one"],
    ["comments", "one"],
    ["", "two"],
    [],
  ])("KUBECONFIG=%s:%s", async (...names) => {
    const paths = names.map((name) => name && join(dir, name));
    const env = { HOME: dir, ...(names.length > 0 && { KUBECONFIG: paths.join(":") }) };
    expect(ours(env)).toEqual(await kubectls(env));
  });

  test("an error names the missing file, or how to name one", () => {
    const env = { HOME: join(dir, "nobody"), KUBECONFIG: join(dir, "missing") };
    expect(() => loadKubeConfig(undefined, env)).toThrow("no kubeconfig was found");
    expect(() => loadKubeConfig(join(dir, "missing"), {})).toThrow("missing cannot be read");
  });

  test("koncli calls the cluster of the first file", async () => {
    const away = await writeKubeconfig(kubectl, join(dir, "away"), {
      change: { server: "https://127.0.0.1:1" },
    });
    const LIST = ["--request-timeout", "5s", "-n", "default", "lease", "list"];
    const run = (...files: string[]) => koncli(LIST, { env: { KUBECONFIG: files.join(":") } });
    expect((await run(away, cluster.kubeconfigPath)).err).toContain(
      "the connection to the API server failed",
    );
    expect((await run(cluster.kubeconfigPath, away)).err).not.toContain("connection");
  });
});

/** The user that our client is, by the API server's answer. */
async function whoWeAre(flags: ClusterFlags, env: Env = {}) {
  const { client } = connect(flags, { userAgent: "kubeconfig-test", env });
  onTestFinished(() => client.close());
  const answer = await client.raw("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {});
  return record(record(answer)["status"])["userInfo"];
}
async function whoKubectlIs(kubeconfig: string, ...args: string[]) {
  const answer = await kubectlIn({}, `--kubeconfig=${kubeconfig}`, "auth", "whoami", "-o", "json", ...args);
  return record(record(JSON.parse(answer))["status"])["userInfo"];
}

describe("calls are made as the named user", () => {
  const withUser = async (name: string, more: object) => {
    const raw = record(JSON.parse(await kubectl("config", "view", "--raw", "--flatten", "-o", "json")));
    const user = { ...record(record(list(raw["users"])[0])["user"]), ...more };
    return writeKubeconfig(kubectl, join(dir, name), { user });
  };

  test.each<[string, object, Partial<ClusterFlags>, string[]]>([
    ["a user of the kubeconfig", { as: "ada" }, {}, []],
    ["its groups", { as: "ada", "as-groups": ["devs", "ops"] }, {}, []],
    [
      "its uid and more",
      { as: "ada", "as-uid": "7", "as-user-extra": { "example.com/Team": ["a", "b"] } },
      {},
      [],
    ],
    ["--as", {}, { as: "ada" }, ["--as=ada"]],
    [
      "--as and --as-group, in the place of the kubeconfig's",
      { as: "eve", "as-groups": ["all"] },
      { as: "ada", asGroup: ["devs", "ops"] },
      ["--as=ada", "--as-group=devs", "--as-group=ops"],
    ],
    ["--as, with the kubeconfig's groups", { as: "eve", "as-groups": ["all"] }, { as: "ada" }, ["--as=ada"]],
    ["--as-group, for the kubeconfig's user", { as: "ada" }, { asGroup: ["devs"] }, ["--as-group=devs"]],
    ["--as-uid", {}, { as: "ada", asUid: "7" }, ["--as=ada", "--as-uid=7"]],
  ])("%s", async (name, user, flags, args) => {
    const kubeconfig = await withUser(name.replaceAll(/\W/g, "-"), user);
    const [own, kubectls] = await Promise.all([
      whoWeAre({ kubeconfig, ...flags }),
      whoKubectlIs(kubeconfig, ...args),
    ]);
    expect(own).toEqual(kubectls);
    expect(text(record(own)["username"])).toBe("ada");
  });

  test("by the token in a file, which takes precedence over a token in the kubeconfig", async () => {
    await kubectl("create", "serviceaccount", "by-file", "--namespace=default");
    onTestFinished(() =>
      kubectl("delete", "serviceaccount", "by-file", "--namespace=default").then(() => {}),
    );
    const token = await kubectl("create", "token", "by-file", "--namespace=default");
    await writeFile(join(dir, "token"), token);
    const user = { tokenFile: "token", token: "stale" };
    const kubeconfig = await writeKubeconfig(kubectl, join(dir, "by-file"), { user });
    const own = await whoWeAre({ kubeconfig });
    expect(own).toEqual(await whoKubectlIs(kubeconfig));
    expect(record(own)["username"]).toBe("system:serviceaccount:default:by-file");
  });

  describe("by a credential plugin, as clouds use", () => {
    const LOGIN = "open https://login.konductor.test and enter ABCD";
    let kubeconfig: string;
    beforeAll(async () => {
      await kubectl("create", "serviceaccount", "by-plugin", "--namespace=default");
      const token = (await kubectl("create", "token", "by-plugin", "--namespace=default")).trim();
      const credential = {
        apiVersion: "client.authentication.k8s.io/v1",
        kind: "ExecCredential",
        status: { token },
      };
      await writeFile(join(dir, "credential"), JSON.stringify(credential));
      await mkdir(join(dir, "bin"), { recursive: true });
      const script = [
        "#!/bin/sh",
        `echo "${LOGIN}" >&2`,
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the shell's own
        'echo "$1 ${MODE} ${KUBERNETES_EXEC_INFO}" >> "$(dirname "$0")/told"',
        "sleep 3",
        'cat "$(dirname "$0")/../credential"',
      ];
      await writeFile(join(dir, "bin/plugin"), script.join("\n"), { mode: 0o755 });
      const exec = {
        ...{
          apiVersion: "client.authentication.k8s.io/v1",
          interactiveMode: "IfAvailable",
          provideClusterInfo: true,
        },
        ...{ command: "./bin/plugin", args: ["get-token"], env: [{ name: "MODE", value: "quiet" }] },
      };
      kubeconfig = await writeKubeconfig(kubectl, join(dir, "by-plugin"), { user: { exec } });
    });
    afterAll(() => kubectl("delete", "serviceaccount", "by-plugin", "--namespace=default"));

    test("which gets the same input as from kubectl, and whose run does not count towards the request timeout", async () => {
      const own = await whoWeAre({ kubeconfig, requestTimeoutMs: 2_000 });
      expect(record(own)["username"]).toBe("system:serviceaccount:default:by-plugin");
      expect(own).toEqual(await whoKubectlIs(kubeconfig));
      const told = (await readFile(join(dir, "bin/told"), "utf8")).trim().split("\n");
      const [ours, kubectls] = told.map((line) => line.split(" "));
      expect(ours?.slice(0, 2)).toEqual(["get-token", "quiet"]);
      const info = (words: readonly string[] | undefined) =>
        record(JSON.parse(words?.slice(2).join(" ") ?? ""));
      const withoutConfig = ({ cluster: of, ...spec }: Record<string, unknown>) => {
        const { config: _, ...others } = record(of);
        return { ...spec, cluster: others };
      };
      expect(withoutConfig(record(info(ours)["spec"]))).toEqual(
        withoutConfig(record(info(kubectls)["spec"])),
      );
      expect(info(ours)).toMatchObject({ apiVersion: info(kubectls)["apiVersion"], kind: "ExecCredential" });
    });

    test("whose messages reach the user while it waits for a login", async () => {
      const program = join(import.meta.dirname, "../../src/bin/koncli.ts");
      const args = [program, "--kubeconfig", kubeconfig, "-n", "default", "lease", "list"];
      const { code, stderr } = await promisify(execFile)(process.execPath, args, { env: {} }).then(
        ({ stderr }) => ({ code: 0, stderr }),
        (error: { code: number; stderr: string }) => error,
      );
      // The account has no rights, so the API server refuses the call.
      expect([code, stderr]).toEqual([2, expect.stringMatching(/^open https:.* ABCD\nerror: .*forbidden/i)]);
    });

    test.each<[string, object, string]>([
      [
        "is missing",
        { command: "konductor-no-such-plugin", installHint: "get it there" },
        "is not there: install it; get it there",
      ],
      ["fails", { command: "false" }, "false ended with 1"],
      [
        "says nothing",
        { command: "true" },
        "true wrote no ExecCredential with a token, or a certificate and its key",
      ],
      [
        "must ask",
        { command: "true", interactiveMode: "Always" },
        "wants to ask somebody (interactiveMode: Always), and there is no terminal",
      ],
    ])("that %s is named in the error", async (what, exec, sentence) => {
      const user = { exec: { apiVersion: "client.authentication.k8s.io/v1", ...exec } };
      const path = await writeKubeconfig(kubectl, join(dir, what.replaceAll(" ", "-")), { user });
      const { code, err } = await koncli(["--kubeconfig", path, "lease", "list"]);
      expect([code, err]).toEqual([2, expect.stringContaining(sentence)]);
    });
  });

  test("groups without a user are refused before anything is sent", async () => {
    const flags = ["--kubeconfig", cluster.kubeconfigPath, "--as-group", "devs"];
    const { code, err } = await koncli([...flags, "lease", "list"]);
    expect([code, err]).toEqual([2, expect.stringContaining("name one with --as")]);
  });
});

test("an unusable proxy is named in the error, and not taken for bad credentials", async () => {
  const change = { server: "https://api.konductor.test:6443" };
  const path = await writeKubeconfig(kubectl, join(dir, "bad-proxy"), { change });
  const env = { KUBECONFIG: path, HTTPS_PROXY: "ftp://user:secret@proxy:2121" };
  const { code, err } = await koncli(["lease", "list"], { env });
  expect([code, err]).toEqual([
    2,
    expect.stringContaining("the proxy proxy:2121 cannot be used: an http, https or socks5 URL"),
  ]);
  expect(err).not.toContain("secret");
});

describe("a proxy of the environment is used as in kubectl", () => {
  /** A proxy that always connects to the API server, whatever address is asked for. */
  async function startProxy() {
    const asked: string[] = [];
    const { hostname, port } = new URL(cluster.apiServerUrl);
    const server = createServer();
    server.on("connect", ({ url = "" }, client) => {
      asked.push(url);
      const upstream = connectTcp(Number(port), hostname, () => {
        client.write("HTTP/1.1 200 OK\r\n\r\n");
        upstream.pipe(client).pipe(upstream);
      });
      for (const socket of [client, upstream]) socket.on("error", () => socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    return { asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
  }

  test.each([
    ["HTTPS_PROXY", {}, true],
    ["NO_PROXY with its domain", { NO_PROXY: "konductor.test" }, false],
    ["NO_PROXY with another port", { NO_PROXY: "api.konductor.test:444" }, true],
    ["NO_PROXY with another domain", { NO_PROXY: "tor.test,10.0.0.0/8" }, true],
  ])("%s", async (name, env, isUsed) => {
    const proxy = await startProxy();
    const path = await writeKubeconfig(kubectl, join(dir, name.replaceAll(/\W/g, "-")), {
      change: { server: "https://api.konductor.test:6443", "tls-server-name": "127.0.0.1" },
    });
    const world = { HTTPS_PROXY: proxy.url, ...env };
    const tried = await Promise.allSettled([
      whoWeAre({ kubeconfig: path, requestTimeoutMs: 5_000 }, world),
      kubectlIn(world, `--kubeconfig=${path}`, "--request-timeout=5s", "auth", "whoami"),
    ]);
    const outcome = isUsed ? "fulfilled" : "rejected";
    expect(tried.map(({ status }) => status)).toEqual([outcome, outcome]);
    expect(new Set(proxy.asked)).toEqual(new Set(isUsed ? ["api.konductor.test:6443"] : []));
  });
});

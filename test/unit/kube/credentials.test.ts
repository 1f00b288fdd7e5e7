/** Credentials that rotate, on machines whose time of day is wrong. */
import { once } from "node:events";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { connect } from "../../../src/client/connect.ts";
import { loadKubeConfig } from "../../../src/client/kubeconfig.ts";
import { createKubeClient } from "../../../src/kube/client.ts";
import { turnedClock } from "../gate/turned-clock.ts";

/** An API server that takes the token `valid`, and a folder for a kubeconfig of it. */
async function aServer(valid: { token: string }) {
  const seen: string[] = [];
  const server = createServer(({ headers: { authorization = "" } }, response) => {
    seen.push(authorization);
    const status = authorization === `Bearer ${valid.token}` ? 200 : 401;
    response.writeHead(status, { "content-type": "application/json" });
    response.end(JSON.stringify({ kind: "Status", message: "Unauthorized" }));
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const dir = mkdtempSync(join(tmpdir(), "credentials-"));
  const kubeconfigOf = (user: object) => {
    const path = join(dir, "config");
    const config = {
      ...{ apiVersion: "v1", kind: "Config", "current-context": "c" },
      clusters: [
        { name: "c", cluster: { server: `http://127.0.0.1:${port}`, "insecure-skip-tls-verify": true } },
      ],
      users: [{ name: "u", user }],
      contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
    };
    writeFileSync(path, JSON.stringify(config));
    return path;
  };
  return { seen, dir, kubeconfigOf };
}

/** A client whose credential plugin gives out what stands in the file `token`. Its token seems to last for hours. */
async function withPlugin(valid: { token: string }) {
  const { dir, kubeconfigOf, ...server } = await aServer(valid);
  const tokenPath = join(dir, "token");
  const script = `echo run >> ${dir}/runs; test -s ${tokenPath} || exit 1
    echo '{"kind":"ExecCredential","status":{"token":"'$(cat ${tokenPath})'","expirationTimestamp":"2999-01-01T00:00:00Z"}}'`;
  const kubeconfig = kubeconfigOf({
    exec: { command: "sh", args: ["-c", script], interactiveMode: "Never" },
  });
  const env = { PATH: process.env["PATH"] };
  const { client } = connect({ kubeconfig }, { userAgent: "test", env });
  onTestFinished(() => client.close());
  const runs = () => readFileSync(join(dir, "runs"), "utf8").trim().split("\n").length;
  return { ...server, tokenPath, runs, ask: () => client.raw("GET", "/version") };
}

test("a plugin is asked again once where many calls are refused at the same time", async () => {
  const valid = { token: "t-1" };
  const { tokenPath, runs, ask } = await withPlugin(valid);
  writeFileSync(tokenPath, "t-1");
  await ask();
  valid.token = "t-2";
  writeFileSync(tokenPath, "t-2");
  await Promise.all(Array.from({ length: 20 }, ask));
  expect(runs()).toBe(2);
});

test("a call is not sent again with the credentials that were refused", async () => {
  const { seen, tokenPath, ask } = await withPlugin({ token: "t-2" });
  writeFileSync(tokenPath, "t-1");
  await expect(ask()).rejects.toMatchObject({ code: "Unauthenticated" });
  expect(seen).toEqual(["Bearer t-1"]);
});

test("a plugin that fails when it is asked again leaves the refusal as it was", async () => {
  const valid = { token: "t-1" };
  const { tokenPath, ask } = await withPlugin(valid);
  writeFileSync(tokenPath, "t-1");
  await ask();
  valid.token = "t-2";
  writeFileSync(tokenPath, "");
  await expect(ask()).rejects.toMatchObject({ code: "Unauthenticated" });
  writeFileSync(tokenPath, "t-2");
  await ask();
});

test("a token file that was replaced is read again, although the machine's clock was set back", async () => {
  const valid = { token: "t-1" };
  const { dir, kubeconfigOf } = await aServer(valid);
  const tokenFile = join(dir, "token");
  writeFileSync(tokenFile, "t-1\n");
  const { kubeConfig } = loadKubeConfig(kubeconfigOf({ tokenFile }), {});
  const clock = turnedClock();
  const client = createKubeClient({ kubeConfig, userAgent: "test", clock });
  onTestFinished(() => client.close());
  vi.useFakeTimers({ toFake: ["Date"], now: Date.parse("2026-01-01T12:00:00Z") });
  onTestFinished(() => void vi.useRealTimers());
  await client.raw("GET", "/version");
  vi.setSystemTime(Date.parse("2026-01-01T10:00:00Z"));
  valid.token = "t-2";
  writeFileSync(tokenFile, "t-2\n");
  // Also within the second in which nothing is read again unless it is refused.
  await client.raw("GET", "/version");
  valid.token = "t-3";
  writeFileSync(tokenFile, "t-3\n");
  await clock.turn(2_000);
  await client.raw("GET", "/version");
});

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { KubeConfig } from "@kubernetes/client-node";
import { beforeAll, expect, inject, test } from "vitest";
import { createKubeClient } from "../../../src/kube/client.ts";
import { NODES, PODS, SECRETS } from "../../../src/kube/resources.ts";
import { record, text } from "../../../src/shared/json.ts";
import { CONFIG_MAPS, connect, createNamespace, createWidgets, parseThing } from "./fixture.ts";

const client = connect();
let namespace: string;
beforeAll(async () => {
  namespace = await createNamespace(client);
});

test("create, get, replace, patch, list and delete", async () => {
  const metadata = { namespace, name: "thing" };
  const created = await client.create(CONFIG_MAPS, { metadata, data: { color: "red" } }, parseThing);
  expect(created).toMatchObject({ ...metadata, color: "red" });

  const guarded = { ...metadata, resourceVersion: created.resourceVersion };
  const replaced = await client.replace(
    CONFIG_MAPS,
    { metadata: guarded, data: { color: "blue" } },
    parseThing,
  );
  expect(replaced.color).toBe("blue");
  await expect(client.replace(CONFIG_MAPS, { metadata: guarded, data: {} })).rejects.toMatchObject({
    code: "Conflict",
    message: expect.stringContaining(
      `cannot update configmap ${namespace}/thing: Operation cannot be fulfilled`,
    ),
  });

  const merged = await client.patch(
    CONFIG_MAPS,
    metadata,
    { data: { color: "green" } },
    { type: "merge" },
    parseThing,
  );
  expect(merged.color).toBe("green");
  const operations = [{ op: "test", path: "/metadata/resourceVersion", value: created.resourceVersion }];
  await expect(client.patch(CONFIG_MAPS, metadata, operations, { type: "json" })).rejects.toMatchObject({
    code: "Invalid",
  });
  const apply = { type: "apply", fieldManager: "test", force: true } as const;
  const body = { apiVersion: "v1", kind: "ConfigMap", metadata, data: { color: "white" } };
  expect(await client.patch(CONFIG_MAPS, metadata, body, apply, parseThing)).toMatchObject({
    color: "white",
  });

  await expect(client.delete(CONFIG_MAPS, metadata, { uid: "another" })).rejects.toMatchObject({
    code: "Conflict",
  });
  expect(await client.get(CONFIG_MAPS, metadata, parseThing)).toMatchObject({ uid: created.uid });
  await client.delete(CONFIG_MAPS, metadata, { uid: created.uid });
  await expect(client.get(CONFIG_MAPS, metadata)).rejects.toMatchObject({ code: "NotFound" });
});

test("a merge patch with the uid of an object that was recreated is a Conflict", async () => {
  for (const resource of [CONFIG_MAPS, await createWidgets(client)]) {
    const metadata = { namespace, name: "again" };
    const { uid } = await client.create(resource, { metadata }, parseThing);
    await client.delete(resource, metadata);
    const { resourceVersion } = await client.create(resource, { metadata }, parseThing);
    for (const guard of [{ uid }, { uid, resourceVersion }])
      await expect(
        client.patch(resource, metadata, { metadata: guard }, { type: "merge" }),
      ).rejects.toMatchObject({ code: "Conflict" });
  }
});

test("lists come in pages", async () => {
  const labels = { page: "yes" };
  for (const name of ["a", "b", "c"])
    await client.create(CONFIG_MAPS, { metadata: { namespace, name, labels } });
  const options = { namespace, labelSelector: "page=yes", limit: 2 };
  const first = await client.list(CONFIG_MAPS, options, parseThing);
  const second = await client.list(CONFIG_MAPS, { ...options, continue: first.continue }, parseThing);
  expect([...first.items, ...second.items].map(({ name }) => name)).toEqual(["a", "b", "c"]);
  expect([first.items.length, second.continue]).toEqual([2, undefined]);
  expect(second.resourceVersion).toBe(first.resourceVersion);
});

test("refusals have a code, and a message that names verb and object", async () => {
  const metadata = { namespace, name: "twice" };
  await client.create(SECRETS, { metadata });
  await expect(client.create(SECRETS, { metadata })).rejects.toMatchObject({
    code: "AlreadyExists",
    message: `cannot create secret ${namespace}/twice: secrets "twice" already exists (HTTP 409)`,
  });
  await expect(client.create(SECRETS, { metadata: { namespace, name: "Upper" } })).rejects.toMatchObject({
    code: "Invalid",
  });
  const nobody = new KubeConfig();
  nobody.loadFromClusterAndUser(
    { name: "c", server: inject("cluster").apiServerUrl, skipTLSVerify: true },
    { name: "u", token: "nonsense" },
  );
  const stranger = createKubeClient({ kubeConfig: nobody, userAgent: "konductor-test" });
  await expect(stranger.list(NODES)).rejects.toMatchObject({ code: "Unauthenticated" });
});

test("an exec plugin of the kubeconfig supplies the credentials, and is not run for every call", async () => {
  const path = `/api/v1/namespaces/${namespace}/serviceaccounts/default/token`;
  const token = text(record(record(await client.raw("POST", path, { spec: {} }))["status"])["token"]);
  const dir = await mkdtemp(join(tmpdir(), "konductor-exec-"));
  try {
    const credential = {
      apiVersion: "client.authentication.k8s.io/v1",
      kind: "ExecCredential",
      status: { token },
    };
    await writeFile(join(dir, "credential.json"), JSON.stringify(credential));
    const exec = { command: "sh", args: ["-c", `echo run >> ${dir}/runs; cat ${dir}/credential.json`] };
    const kubeConfig = new KubeConfig();
    const cluster = { name: "c", server: inject("cluster").apiServerUrl, skipTLSVerify: true };
    kubeConfig.loadFromClusterAndUser(cluster, { name: "u", exec });
    const plugged = createKubeClient({ kubeConfig, userAgent: "konductor-test" });
    const who = () => plugged.raw("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {});
    const answers = [await who(), await who()];
    const userInfo = { username: `system:serviceaccount:${namespace}:default` };
    expect(answers).toMatchObject(Array(2).fill({ status: { userInfo } }));
    expect(await readFile(join(dir, "runs"), "utf8")).toBe("run\n");
  } finally {
    await rm(dir, { recursive: true });
  }
});

test("every answer has the server's time, refusals included", async () => {
  const dates: (number | undefined)[] = [];
  const onResponse = ({ serverDateMs }: { serverDateMs: number | undefined }) => dates.push(serverDateMs);
  await client.raw("GET", "/version", undefined, { onResponse });
  await client.get(PODS, { namespace, name: "none" }, undefined, { onResponse }).catch(() => undefined);
  expect(dates).toHaveLength(2);
  for (const date of dates) expect(Math.abs((date ?? 0) - Date.now())).toBeLessThan(5_000);
});

test("a server that does not answer is Unreachable in time; an aborted call rejects with its reason", async () => {
  const deaf = createServer(() => undefined);
  await new Promise<void>((resolve) => deaf.listen(0, "127.0.0.1", resolve));
  const address = deaf.address();
  const port = typeof address === "object" && address ? address.port : 0;
  const waiting = connect(`https://127.0.0.1:${port}`);
  await expect(waiting.raw("GET", "/version", undefined, { timeoutMs: 200 })).rejects.toMatchObject({
    code: "Unreachable",
    message: "cannot GET /version: the API server did not answer within 200 ms",
  });
  const signal = AbortSignal.abort(new Error("never mind"));
  await expect(waiting.raw("GET", "/version", undefined, { signal })).rejects.toThrow("never mind");
  deaf.close();
});

test("an object without a name or its namespace is never sent to the server", async () => {
  await expect(client.delete(PODS, { namespace, name: "" })).rejects.toMatchObject({ code: "BadRequest" });
  await expect(client.get(PODS, { name: "x" })).rejects.toMatchObject({ code: "BadRequest" });
});

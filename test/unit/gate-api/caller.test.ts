/** How the gate API looks up its caller's pod. The cache of pods may be behind, and a gate treats a denial as final. */
import { fastify } from "fastify";
import { expect, test } from "vitest";
import { LEASES, PODS } from "../../../src/kube/resources.ts";
import { parsePod } from "../../../src/lease/pod.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { ANNOTATION, LEASE_LABEL, PATH } from "../../../src/shared/names.ts";
import { recordedClient } from "../controller/recorded-client.ts";
import { memoryCache } from "./memory-cache.ts";
import { memoryCaches } from "./samples.ts";
import { unitGateApi } from "./unit-gate-api.ts";

interface Change {
  /** The pod's label. null means no label. */
  lease?: string | null;
  owners?: object[];
}

const podOf = ({ lease = "report", owners = [] }: Change) => ({
  metadata: {
    ...{ namespace: "a", name: "b", uid: "c", resourceVersion: "5" },
    labels: lease === null ? {} : { [LEASE_LABEL]: lease },
    annotations: { [ANNOTATION.gate]: "job" },
    ownerReferences: owners,
  },
  spec: { restartPolicy: "Never", containers: [{ name: "main" }] },
});

/** The answer of a draining replica, which answers every gate at once. */
async function ask(path: string, { cached, live }: { cached: Change; live: Change }) {
  const { client } = recordedClient(({ what }) => {
    if (what === `get ${PODS.plural}`) return podOf(live);
    throw new KonductorError(what === `get ${LEASES.plural}` ? "NotFound" : "Internal", what);
  });
  const pods = memoryCache<ReturnType<typeof parsePod>>();
  pods.apply(parsePod(podOf(cached)));
  const api = unitGateApi({
    client,
    caches: { ...memoryCaches(), pods },
    authenticate: async () => ({ namespace: "a", name: "b", uid: "c", serviceAccount: "default" }),
  });
  const app = fastify();
  app.register(api.plugin);
  const url = await app.listen({ host: "127.0.0.1", port: 0 });
  await api.drain();
  const answer = await fetch(`${url}${path}`, {
    method: "POST",
    headers: { authorization: "Bearer t", "content-type": "application/json" },
    body: JSON.stringify({ lease: "report", token: 1, ttlMs: 15_000 }),
  });
  const body = await answer.text();
  await app.close();
  return { status: answer.status, body };
}

test.each([PATH.acquire, PATH.renew, PATH.announce])(
  "%s: a pod is refused because of its label only after a live look",
  async (path) => {
    const changed = await ask(path, { cached: { lease: "before" }, live: { lease: "report" } });
    expect(changed.status).not.toBe(403);
    const other = await ask(path, { cached: { lease: "before" }, live: { lease: "other" } });
    expect(other).toEqual({ status: 403, body: expect.stringContaining('says \\"other\\"') });
  },
);

test("the gate of a copy that lost its label is told how to go on", async () => {
  const { status, body } = await ask(PATH.acquire, { cached: { lease: null }, live: { lease: null } });
  expect(status).toBe(403);
  for (const part of ["pod a/b has a gate that waits for klease report", "--keep-labels", "konductor-keeper"])
    expect(body).toContain(part);
});

test("the gate of a pod without a Job is denied only after a live look for its owner", async () => {
  const job = { apiVersion: "batch/v1", kind: "Job", name: "j", uid: "job-1", controller: true };
  const adopted = await ask(PATH.acquire, { cached: {}, live: { owners: [job] } });
  expect(adopted.body).toContain('"reconnect"');
  const orphan = await ask(PATH.acquire, { cached: {}, live: {} });
  expect(orphan.body).toContain('"denied"');
});

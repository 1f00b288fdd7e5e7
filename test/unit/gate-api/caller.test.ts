/** Whom the gate API takes its caller for: a gate takes a denial for final, and the cache of pods may be behind. */
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
  /** null: no label. */
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

/** A replica that is being replaced, so that every gate is answered at once. */
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
  "%s: the label is looked up live before a pod is refused for it",
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

test("and whether a Job owns it, before it is told that none does", async () => {
  const job = { apiVersion: "batch/v1", kind: "Job", name: "j", uid: "job-1", controller: true };
  const adopted = await ask(PATH.acquire, { cached: {}, live: { owners: [job] } });
  expect(adopted.body).toContain('"reconnect"');
  const orphan = await ask(PATH.acquire, { cached: {}, live: {} });
  expect(orphan.body).toContain('"denied"');
});

/** A holder and a waiting pod that are older than the CA by which konductor serves. */
import { mkdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { PODS, SECRETS } from "../../src/kube/resources.ts";
import { list, record, text, textMap } from "../../src/shared/json.ts";
import {
  ENV,
  GATE_CONTAINER,
  STATE_VOLUME,
  SYSTEM_NAMESPACE,
  TLS_SECRET,
  TRUST_VOLUME,
} from "../../src/shared/names.ts";
import { certificatesIn } from "../../src/shared/pem.ts";
import { waitFor } from "../cluster/wait.ts";
import type { Environment } from "../e2e/environment.ts";
import { handover, holdBefore } from "../e2e/handover.ts";
import { startProcessEnvironment } from "../e2e/process-environment.ts";
import { setStage } from "../e2e/stage.ts";

/** The next one signs after 50 s; keepers ask every 5 s, in less than the 10 s for which it is published before. */
const FLAGS = ["--ca-duration=60s", "--certificate-duration=10s"];
const REPLACED_WITHIN_MS = 180_000;

let environment: Environment;
beforeAll(async () => {
  environment = await startProcessEnvironment({
    env: inject("cluster").env,
    programsDir: inject("cluster").programsDir,
    stream: process.stderr,
    konductorFlags: FLAGS,
  });
});
afterAll(() => environment?.stop());

async function trustedNow(): Promise<string[]> {
  const secret = await environment.client.get(
    SECRETS,
    { namespace: SYSTEM_NAMESPACE, name: TLS_SECRET },
    record,
  );
  return certificatesIn(Buffer.from(textMap(secret["data"])["ca.crt"] ?? "", "base64").toString());
}

test(
  "a gate that is killed when no CA of its pod's creation signs any more gets its grant, by what it has learnt alone",
  async () => {
    const { client, cluster } = environment;
    const stage = await setStage(environment, "outlived", { ttl: "15s" });
    const hold = await holdBefore(stage, {}, { restartPolicy: "OnFailure" });
    const next = { namespace: stage.namespace, name: "next" };
    const pod = await client.get(PODS, next, record);
    const gate = list(record(pod["spec"])["initContainers"])
      .map(record)
      .find(({ name }) => name === GATE_CONTAINER);
    const variables = list(gate?.["env"]).map(record);
    const known = certificatesIn(text(variables.find(({ name }) => name === ENV.ca)?.["value"]) ?? "");
    expect(known.length).toBeGreaterThan(0);
    await waitFor({
      what: "every CA of the pod's creation to be replaced",
      withinMs: REPLACED_WITHIN_MS,
      holds: async () => (await trustedNow()).every((pem) => !known.includes(pem)),
    });

    // What a kill leaves, and a reboot as well: the volume on the disk.
    const uid = text(record(pod["metadata"])["uid"]) ?? "";
    const volumes = join(cluster.dir, "process-node", "pods", uid, "volumes");
    await rm(join(volumes, STATE_VOLUME), { recursive: true });
    await mkdir(join(volumes, STATE_VOLUME));
    const learnt = record(JSON.parse(await readFile(join(volumes, TRUST_VOLUME, "trust.json"), "utf8")));
    const trusted = await trustedNow();
    expect(certificatesIn(text(learnt["ca"]) ?? "").some((pem) => trusted.includes(pem))).toBe(true);
    await environment.killContainer(next, GATE_CONTAINER, "SIGKILL");

    expect((await stage.holds("old")).token).toBe(hold.token);
    await stage.endMain("old");
    await handover(stage);
  },
  REPLACED_WITHIN_MS + 120_000,
);

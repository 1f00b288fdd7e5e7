/** The attacker has edit or admin in one namespace (ClusterRoles edit, admin), and wants konductor to run out of memory by what it has to read. */
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import { LEASE_LABEL } from "../../../src/shared/names.ts";
import { IN_NAMESPACE, objectOf, request, type Stage, startStage } from "../admission-clients.ts";

let stage: Stage;
beforeAll(async () => {
  stage = await startStage(inject("cluster"));
});
afterAll(() => stage?.stop());

const annotated = (annotations: Record<string, string>) => ({ annotations });
const many = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`example.com/${index}`, ""]));
const owners = Array.from({ length: 9 }, (_, index) => ({
  ...{ apiVersion: "v1", kind: "ConfigMap", name: `owner-${index}`, uid: `owner-${index}` },
}));

test.each([
  ["a long annotation", annotated({ "example.com/notes": "x".repeat(1_025) }), "metadata.annotations"],
  ["many annotations", annotated(many(17)), "metadata.annotations"],
  ["many labels", { labels: many(33) }, "metadata.labels"],
  ["many finalizers", { finalizers: owners.map(({ name }) => `example.com/${name}`) }, "metadata.finalizers"],
  ["many owners", { ownerReferences: owners }, "metadata.ownerReferences"],
])("a klease or a request with %s is refused, at its creation and later", async (what, metadata, field) => {
  const name = what.replaceAll(" ", "-");
  for (const create of [
    (own: object) => request(name, { holder: name }, own),
    (own: object) => objectOf("Lease", name, { ttl: "1m" }, own),
  ]) {
    await expect(stage.send(create(metadata), "create", "--as=alice")).rejects.toThrow(field);
    await stage.send(create({}), "create", "--as=alice");
    const kind = create({}).kind.toLowerCase();
    const change = stage.patch(`${kind}s.konductor.io/${name}`, { metadata }, "--as=ada");
    await expect(change).rejects.toThrow(field);
  }
});

test("what kubectl and GitOps tools write is accepted", async () => {
  const metadata = { annotations: { "argocd.argoproj.io/tracking-id": "x".repeat(500) } };
  await stage.send(objectOf("Lease", "applied", { ttl: "1m" }, metadata), "apply", "--as=alice");
  await stage.send(request("applied", { holder: "h".repeat(100) }, metadata), "apply", "--as=alice");
});

test("a pod's ttl of 250 KB is refused in one short sentence", async () => {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "huge",
      labels: { [LEASE_LABEL]: "nightly" },
      annotations: { "konductor.io/ttl": "1h".repeat(125_000) },
    },
    spec: { containers: [{ name: "main", image: "none" }] },
  };
  const refused = stage.kubectl.withObject(pod, "create", IN_NAMESPACE, "--as=alice").catch(String);
  const answer = await refused;
  expect(answer).toContain('a Go duration such as "10m" of at least 15s is allowed');
  expect(answer.length).toBeLessThan(2_000);
});

import { expect, test } from "vitest";
import type { Environment } from "../../e2e/environment.ts";
import { lockedTo } from "../../e2e/locked.ts";

const done: string[] = [];
const act = (what: string) => async () => void done.push(what);
// An environment with only the parts that a scenario can take away.
const environment = {
  konductor: { stop: act("konductor"), killArbiter: act("arbiter"), pauseArbiter: act("arbiter") },
  cluster: {
    controlPlane: { kill: act("API server"), pause: act("etcd") },
    node: { kill: act("containerd"), pause: act("kubelet"), stopKubelet: act("kubelet") },
  },
} as unknown as Environment;

test("only locked parts can be taken away", async () => {
  const { konductor, cluster } = lockedTo(environment, ["konductor"]);
  await konductor.stop();
  expect(done).toEqual(["konductor"]);
  const { controlPlane, node } = cluster;
  expect(() => controlPlane.kill("etcd")).toThrow("takes control plane away has to lock it");
  expect(() => node?.stopKubelet()).toThrow("takes node away has to lock it");
  expect(() => lockedTo(environment, ["node"]).konductor.killArbiter()).toThrow("takes konductor away");
  expect(done).toEqual(["konductor"]);
});

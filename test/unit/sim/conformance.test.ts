/** The in-memory API server behaves like kube-apiserver: test/integration/conformance.test.ts runs the same suite against the latter. */
import { NAMESPACES } from "../../../src/kube/resources.ts";
import { createSimClient } from "../../sim/api/client.ts";
import { createCluster } from "../../sim/api/cluster.ts";
import { createLine } from "../../sim/api/line.ts";
import { tokenOf } from "../../sim/api/reviews.ts";
import { conformance } from "../../sim/conformance/conformance.ts";
import { createProcess } from "../../sim/process.ts";
import { createRandom } from "../../sim/random.ts";
import { createScheduler } from "../../sim/scheduler.ts";

const LONG_MS = 600_000;

conformance(async (act) => {
  const scheduler = createScheduler();
  const { store, servers } = createCluster(scheduler);
  const process = createProcess(scheduler, { name: "here", wallErrorMs: 0 }, "test");
  const [server] = servers;
  if (!server) throw new Error("there is no API server");
  const line = createLine(server, createRandom(1));
  const client = createSimClient({ scheduler, store, process, line, user: "admin" });
  store.create("admin", NAMESPACES, { metadata: { name: "ns" } });
  let isOver = false;
  const played = act({
    client,
    namespace: "ns",
    node: "nowhere",
    tokenOf: async (pod) => tokenOf(pod),
    sleep: (ms) => process.clock.sleep(ms),
  }).finally(() => {
    isOver = true;
  });
  played.catch(() => undefined);
  await scheduler.passUntil(scheduler.nowMs() + LONG_MS, () => isOver);
  await played;
});

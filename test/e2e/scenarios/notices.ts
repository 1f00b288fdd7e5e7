/** What kubectl alone tells of who waits: by events of the pod, Job or LeaseRequest, by conditions and by columns. */
import { expect } from "vitest";
import { JOBS } from "../../../src/kube/resources.ts";
import { ANNOTATION, API_VERSION } from "../../../src/shared/names.ts";
import { waitFor } from "../../cluster/wait.ts";
import type { Scenario } from "../environment.ts";
import { expectWithin } from "../figures.ts";
import { describedEvent, readRequests } from "../observe.ts";
import { setStage } from "../stage.ts";
import { job } from "../workload.ts";

const TOLD_AFTER_MS = 10_000;
const TOLD_WITHIN_MS = 25_000;
const TIME = /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/.source;

export const notices: readonly Scenario[] = [
  {
    name: "kubectl describe tells why a pod, a pod that is not scheduled, and a Job wait, and that they were granted the klease",
    timeoutMs: 180_000,
    async run(environment) {
      const stage = await setStage(environment, "told", { ttl: "1m" });
      const { namespace, journal } = stage;
      await stage.apply("first");
      await stage.holds("first");
      await stage.runs("first", 1);
      const fromMs = performance.now();
      await stage.apply("second", { runsForSeconds: 1 });
      await stage.waits("second");
      await stage.apply("third", { runsForSeconds: 1, annotations: { [ANNOTATION.gate]: "scheduling" } });
      await stage.waits("third");
      const annotations = { [ANNOTATION.gate]: "job" };
      await environment.client.create(
        JOBS,
        job({ namespace, name: "fourth", lease: "told", journal, annotations, runsForSeconds: 1 }),
      );
      await stage.waits("fourth");
      const waiting = [];
      for (const what of ["pod/second", "pod/third", "job/fourth"])
        waiting.push(
          await describedEvent(environment, { namespace, what, reason: "Waiting", withinMs: TOLD_WITHIN_MS }),
        );
      for (const [index, line] of waiting.entries()) {
        expect(line).toMatch(
          new RegExp(
            `Normal .*waiting for klease told since ${TIME}: position ${index + 1} of [123], held by first since ${TIME}, ` +
              `expires ${TIME} unless renewed; see kubectl describe klease told$`,
          ),
        );
      }
      expectWithin(environment, {
        what: "from the pod's creation to what kubectl describe tells of three that wait",
        measuredMs: performance.now() - fromMs,
        boundMs: TOLD_AFTER_MS + TOLD_WITHIN_MS,
      });
      await stage.endMain("first");
      for (const what of ["pod/second", "pod/third", "job/fourth"]) {
        const line = await describedEvent(environment, {
          namespace,
          what,
          reason: "Granted",
          withinMs: 60_000,
        });
        expect(line).toMatch(/Normal .*granted klease told after [0-9ms]+, token \d+$/);
      }
      await stage.atRest();
      await expect(
        describedEvent(environment, { namespace, what: "pod/first", reason: "Granted", withinMs: 1 }),
      ).rejects.toThrow("an event Granted");
    },
  },
  {
    name: "kubectl describe tells why a client's LeaseRequest waits, and that it was granted the klease",
    timeoutMs: 120_000,
    async run(environment) {
      const { kubectl } = environment;
      const stage = await setStage(environment, "asked", { ttl: "1m" });
      const { namespace } = stage;
      await stage.apply("first");
      await stage.holds("first");
      const metadata = { namespace, name: "script" };
      const spec = { lease: "asked", holder: "script" };
      const request = { apiVersion: API_VERSION, kind: "LeaseRequest", metadata, spec };
      await kubectl.withObject(request, "create");
      const told = { namespace, what: "klr/script" };
      const withinMs = TOLD_WITHIN_MS;
      expect(await describedEvent(environment, { ...told, reason: "Waiting", withinMs })).toMatch(
        new RegExp(`Normal .*waiting for klease asked since ${TIME}: position 1 of 1, held by first since`),
      );
      await stage.endMain("first");
      expect(await describedEvent(environment, { ...told, reason: "Granted" })).toMatch(
        /Normal .*granted klease asked after [0-9ms]+, token \d+$/,
      );
      await kubectl("-n", namespace, "delete", "klr", "script");
      await stage.atRest();
    },
  },
  {
    name: "kubectl describe tells that a pod has waited for its wait-timeout, and that a Job was skipped, and who held the klease",
    timeoutMs: 120_000,
    async run(environment) {
      const stage = await setStage(environment, "busy", { ttl: "1m" });
      const { namespace, journal } = stage;
      await stage.apply("first");
      await stage.holds("first");
      await stage.apply("hasty", { annotations: { [ANNOTATION.waitTimeout]: "3s" } });
      const annotations = { [ANNOTATION.ifHeld]: "skip" };
      await environment.client.create(
        JOBS,
        job({ namespace, name: "idle", lease: "busy", journal, annotations }),
      );
      expect(await describedEvent(environment, { namespace, what: "pod/hasty", reason: "TimedOut" })).toMatch(
        /Warning .*waited for klease busy for 3s, its konductor\.io\/wait-timeout, in vain: held by first since .*code 69/,
      );
      expect(await describedEvent(environment, { namespace, what: "job/idle", reason: "Skipped" })).toMatch(
        /Normal .*marked Complete without having run: klease busy is held by first$/,
      );
      await stage.endMain("first");
      await stage.atRest();
    },
  },
  {
    name: "kubectl wait ends when a klease is held, when its waiter is granted it, and when it is free; kubectl get names who is next",
    timeoutMs: 120_000,
    async run(environment) {
      const { kubectl } = environment;
      const stage = await setStage(environment, "watched", { ttl: "1m" });
      const { namespace } = stage;
      const waited = (condition: string, ...objects: string[]) =>
        kubectl("-n", namespace, "wait", `--for=condition=${condition}`, "--timeout=60s", ...objects);
      await waited("Held=false", "klease/watched");
      await stage.apply("first");
      await waited("Held", "klease/watched");
      await stage.apply("second", { runsForSeconds: 5 });
      await stage.waits("second");
      const next = ["-o", "jsonpath={.status.next.holder}"];
      await waitFor({
        what: "kubectl to name the next",
        withinMs: 30_000,
        holds: async () => (await kubectl("-n", namespace, "get", "klease", "watched", ...next)) === "second",
      });
      const row = await kubectl("-n", namespace, "get", "klease", "watched", "--no-headers");
      expect(row).toMatch(/ 1 +second +\d+s +\d+ /);
      const [request] = (await readRequests(environment, namespace)).filter(
        ({ spec }) => spec.holder === "second",
      );
      const object = `klr/${request?.name}`;
      await waited("Granted=false", object);
      const granted = waited("Granted", object);
      await stage.endMain("first");
      await granted;
      await waited("Held=false", "klease/watched");
      await stage.atRest();
    },
  },
];

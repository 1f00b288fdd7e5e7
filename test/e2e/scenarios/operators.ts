/** What people and their tools do with labelled pods, through a real kubectl. */
import { expect } from "vitest";
import { PODS } from "../../../src/kube/resources.ts";
import { EXIT, LEASE_LABEL } from "../../../src/shared/names.ts";
import { waitFor } from "../../cluster/wait.ts";
import type { Scenario } from "../environment.ts";
import { setStage } from "../stage.ts";
import { BUSYBOX_IMAGE, pod } from "../workload.ts";

export const operators: readonly Scenario[] = [
  {
    name: "kubectl debug --copy-to: a copy without the label is told what to do, and a copy with the label waits",
    async run(environment) {
      const { kubectl } = environment;
      const stage = await setStage(environment, "copied", { ttl: "1m" });
      const { namespace } = stage;
      await stage.apply("holder");
      await stage.holds("holder");
      const copy = (name: string, ...flags: string[]) =>
        kubectl(
          "-n",
          namespace,
          "debug",
          "holder",
          `--copy-to=${name}`,
          ...flags,
          "--container=main",
          "--",
          "true",
        );
      await copy("copy");
      const { gate } = await stage.pod("copy", "to fail", ({ phase }) => phase === "Failed");
      expect(gate).toMatchObject({
        exitCode: EXIT.refused,
        message: expect.stringMatching(
          /pod .*\/copy has a gate that waits for klease copied, and no label .*--keep-labels/,
        ),
      });
      await copy("labelled-copy", "--keep-labels");
      await stage.waits("labelled-copy");
      await kubectl("-n", namespace, "delete", "pod", "holder", "--wait=false");
      await stage.pod("labelled-copy", "to end", ({ phase }) => phase === "Succeeded");
      await stage.atRest();
    },
  },
  {
    name: "kubectl drain asks for --delete-emptydir-data, since a labelled pod has an emptyDir of konductor's",
    async run(environment) {
      const { kubectl } = environment;
      const stage = await setStage(environment, "drained", { ttl: "1m" });
      await stage.apply("holder");
      await stage.holds("holder");
      const { node = "" } = await stage.pod("holder", "to have a node", (seen) => seen.node !== undefined);
      const drain = (...flags: string[]) =>
        kubectl(
          "drain",
          node,
          "--dry-run=client",
          "--force",
          `--pod-selector=${LEASE_LABEL}=drained`,
          ...flags,
        );
      await expect(drain()).rejects.toThrow(
        /Pods with local storage \(use --delete-emptydir-data to override\)/,
      );
      expect(await drain("--delete-emptydir-data")).toContain("holder");
    },
  },
  {
    name: "a container that runs on after main has ended keeps the hold, and the event HolderLingers names it",
    async run(environment) {
      const { client, kubectl } = environment;
      const stage = await setStage(environment, "lingers", { ttl: "1m" });
      const { namespace, journal } = stage;
      const { spec, ...object } = pod({
        namespace,
        name: "old",
        lease: "lingers",
        journal,
        runsForSeconds: 0.5,
      });
      const proxy = { name: "proxy", image: BUSYBOX_IMAGE, command: ["sleep", "600"] };
      await client.create(PODS, { ...object, spec: { ...spec, containers: [...spec.containers, proxy] } });
      const { token } = await stage.holds("old");
      const events = ["get", "events", "--field-selector=reason=HolderLingers", "-o", "jsonpath={..message}"];
      await waitFor({
        what: "the event HolderLingers",
        withinMs: 120_000,
        holds: async () =>
          (await kubectl("-n", namespace, ...events)).includes(
            "pod old still holds this klease: proxy runs on",
          ),
      });
      expect((await stage.holds("old")).token).toBe(token);
      await kubectl("-n", namespace, "delete", "pod", "old", "--grace-period=1", "--wait=false");
      await stage.atRest();
    },
  },
];

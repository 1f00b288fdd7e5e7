/** Pods and containers for tests of the process node's pure parts. */
import { parsePod } from "../../cluster/process-node/parse-pod.ts";
import type { Pod } from "../../cluster/process-node/pod.ts";
import type { ContainerRuns, PodRuns } from "../../cluster/process-node/runs.ts";

/** A pod with the init containers `gate`, `keeper` (a sidecar) and `last`, and the main containers `mains`. */
export function samplePod(spec: object = {}, mains: readonly string[] = ["main"], rest: object = {}): Pod {
  return parsePod({
    metadata: { name: "pod", namespace: "ns", uid: "uid-1", generation: 1 },
    spec: {
      nodeName: "node",
      restartPolicy: "Never",
      initContainers: [{ name: "gate" }, { name: "keeper", restartPolicy: "Always" }, { name: "last" }],
      containers: mains.map((name) => ({ name })),
      ...spec,
    },
    ...rest,
  });
}

/** The state of a container: running, or ended with this exit code. */
export type Standing = "running" | number;

/** The latest runs of these containers. A list also gives the previous run's exit code. */
export function sampleRuns(
  standings: Readonly<Record<string, Standing | readonly [number, Standing]>>,
): PodRuns {
  return new Map(
    Object.entries(standings).map(([name, standing]): [string, ContainerRuns] => {
      if (typeof standing !== "object") return [name, { latest: sampleRun(name, standing, 0) }];
      const [before, now] = standing;
      const previous = sampleRun(name, before, 0);
      return [
        name,
        { latest: sampleRun(name, now, 1), ...(previous.state === "exited" ? { previous } : {}) },
      ];
    }),
  );
}

function sampleRun(name: string, standing: Standing, attempt: number): ContainerRuns["latest"] {
  const begun = { id: `process://${name}-${attempt}`, attempt, startedAtMs: 1_000 };
  if (standing === "running") return { state: "running", ...begun };
  const reason = standing === 0 ? "Completed" : "Error";
  return { state: "exited", ...begun, finishedAtMs: 2_000, exitCode: standing, reason };
}

import { defined } from "../../src/shared/json.ts";

export type ClusterChoice = "kubelet" | "process" | "current";

export interface DemoOptions {
  /** `kubelet` and `process`: a new cluster with that node. `current`: the user's. */
  cluster: ClusterChoice;
  /** Whether the examples keep their label. */
  guard: boolean;
  /** The path of an SVG file for the output. */
  record?: string;
}

const CHOICES: readonly ClusterChoice[] = ["kubelet", "process", "current"];

/** Reads `CLUSTER`, `GUARD` and `RECORD`. A real node needs root on Linux, so `isRoot` decides the default. Throws on any other value. */
export function readOptions(env: Readonly<Record<string, string | undefined>>, isRoot: boolean): DemoOptions {
  const wanted = env["CLUSTER"] || (isRoot ? "kubelet" : "process");
  const cluster = CHOICES.find((choice) => choice === wanted);
  if (!cluster) throw new Error(`CLUSTER=${wanted} is not known: it may be ${CHOICES.join(", ")}`);
  if (cluster === "kubelet" && !isRoot) {
    throw new Error("CLUSTER=kubelet needs root on Linux: run it as root, or with CLUSTER=process");
  }
  const guard = env["GUARD"] || "on";
  if (guard !== "on" && guard !== "off") throw new Error(`GUARD=${guard} is not known: it may be on or off`);
  return { cluster, guard: guard === "on", ...defined({ record: env["RECORD"] || undefined }) };
}

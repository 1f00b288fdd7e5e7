/**
 * Warnings for controllers whose pods share one klease: at most one of them is ever Ready, and a controller that replaces pods as
 * others become Ready may then wait for ever.
 */
import { integer, record, text } from "../../shared/json.ts";
import type { TemplateOwner } from "./objects.ts";

/** The value by which a Deployment has no deadline (apps/v1: math.MaxInt32). */
const NO_DEADLINE = 2 ** 31 - 1;

/** Warns where a rollout of this Deployment or StatefulSet can never end. Other kinds get no warning. */
export function warnRollout(kind: string, { spec }: Pick<TemplateOwner, "spec">): string[] {
  const replicas = integer(spec["replicas"]) ?? 1;
  if (kind === "Deployment") return warnDeployment(record(spec), replicas);
  if (kind !== "StatefulSet" || replicas <= 1) return [];
  const { type = "RollingUpdate" } = record(spec["updateStrategy"]);
  if (type !== "RollingUpdate") return [];
  return [
    "spec.updateStrategy: a rolling update begins with a pod that waits for its klease and is never Ready, so that the one that holds it is " +
      "never replaced; with type: OnDelete you delete the pods yourself",
  ];
}

function warnDeployment(spec: Record<string, unknown>, replicas: number): string[] {
  const { type = "RollingUpdate", rollingUpdate } = record(spec["strategy"]);
  const warnings: string[] = [];
  if (type === "RollingUpdate" && mayBeUnavailable(record(rollingUpdate), replicas) < replicas) {
    warnings.push(
      "spec.strategy: a rolling update never ends, since the pod that holds the klease is only stopped when a new one is Ready, which waits for " +
        "the klease; type: Recreate or rollingUpdate.maxUnavailable: 100% is needed",
    );
  }
  if (replicas > 1 && integer(spec["progressDeadlineSeconds"]) !== NO_DEADLINE) {
    warnings.push(
      `spec.replicas: of ${replicas} pods only the one that holds the klease is Ready, so that the Deployment counts as failed after ` +
        `spec.progressDeadlineSeconds; ${NO_DEADLINE} there means no deadline`,
    );
  }
  return warnings;
}

/** How many pods a rolling update may make unavailable, as the Deployment controller counts them (ResolveFenceposts). */
function mayBeUnavailable(
  { maxUnavailable = "25%", maxSurge = "25%" }: Record<string, unknown>,
  replicas: number,
): number {
  const unavailable = Math.floor(resolve(maxUnavailable, replicas));
  return unavailable === 0 && resolve(maxSurge, replicas) === 0 ? 1 : unavailable;
}

/** Resolves a number, or a percentage of `replicas`. */
function resolve(value: unknown, replicas: number): number {
  const percent = /^(\d+)%$/.exec(text(value) ?? "")?.[1];
  return percent === undefined ? (integer(value) ?? 0) : (replicas * Number(percent)) / 100;
}

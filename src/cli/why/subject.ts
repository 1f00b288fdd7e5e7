/** Pods and Jobs as `koncli lease why` looks at them. */
import { parseJob } from "../../lease/job.ts";
import { parsePod } from "../../lease/pod.ts";
import { defined, integer, list, record, text, timeMs } from "../../shared/json.ts";
import { GATE_CONTAINER, SCHEDULING_GATE } from "../../shared/names.ts";
import type { JobSubject, PodStart, PodSubject } from "./facts.ts";

/** Reads a v1 Pod. */
export function parsePodSubject(object: unknown): PodSubject {
  return { kind: "Pod", pod: parsePod(object), ...readStart(record(object)) };
}

function readStart(pod: Record<string, unknown>): PodStart {
  const spec = record(pod["spec"]);
  const status = record(pod["status"]);
  const isFalse = (type: string) =>
    list(status["conditions"])
      .map(record)
      .find((condition) => condition["type"] === type && condition["status"] === "False");
  const inits = list(spec["initContainers"]).map(record);
  const place = inits.findIndex(({ name }) => name === GATE_CONTAINER);
  const statusOf = (name: unknown) =>
    list(status["initContainerStatuses"])
      .map(record)
      .find((each) => each["name"] === name);
  const gate = statusOf(GATE_CONTAINER);
  const waits = record(record(gate?.["state"])["waiting"]);
  const exit = record(record(gate?.["state"])["terminated"] ?? record(gate?.["lastState"])["terminated"]);
  const unscheduled = isFalse("PodScheduled");
  return {
    createdMs: timeMs(record(pod["metadata"])["creationTimestamp"]) ?? 0,
    otherGates: list(spec["schedulingGates"])
      .map((each) => text(record(each)["name"]) ?? "")
      .filter((name) => name !== SCHEDULING_GATE),
    lacksSandbox: isFalse("PodReadyToStartContainers") !== undefined,
    before: inits
      .slice(0, Math.max(0, place))
      .filter(({ name, restartPolicy }) => !isDone(statusOf(name), restartPolicy === "Always"))
      .map(({ name }) => text(name) ?? ""),
    ...defined({
      unscheduled: unscheduled && (text(unscheduled["message"]) ?? text(unscheduled["reason"]) ?? ""),
      gateWaits:
        text(waits["reason"]) === undefined
          ? undefined
          : { reason: text(waits["reason"]) ?? "", message: text(waits["message"]) ?? "" },
      gateExit:
        integer(exit["exitCode"]) === undefined
          ? undefined
          : { code: integer(exit["exitCode"]) ?? 0, message: text(exit["message"])?.trim() ?? "" },
    }),
  };
}

/** Whether the kubelet goes on to the next init container. */
function isDone(status: Record<string, unknown> | undefined, isSidecar: boolean): boolean {
  if (isSidecar) return status?.["started"] === true;
  return record(record(status?.["state"])["terminated"])["exitCode"] === 0;
}

/** Reads a batch/v1 Job; its pods are read apart. */
export function parseJobSubject(object: unknown): JobSubject {
  const job = record(object);
  const conditions = list(record(job["status"])["conditions"])
    .map(record)
    .filter(({ status }) => status === "True");
  // Complete and Failed come after SuccessCriteriaMet and FailureTarget, with the same reason.
  const end = ["Complete", "Failed", "SuccessCriteriaMet", "FailureTarget"]
    .map((type) => conditions.find((condition) => condition["type"] === type))
    .find((condition) => condition !== undefined);
  return {
    kind: "Job",
    job: parseJob(object),
    createdMs: timeMs(record(job["metadata"])["creationTimestamp"]) ?? 0,
    pods: { is: "missing" },
    ...(end && {
      end: {
        type: text(end["type"]) ?? "",
        reason: text(end["reason"]) ?? "",
        message: text(end["message"]) ?? "",
      },
    }),
  };
}

/**
 * Mutating admission: one request in, one answer out, from memory alone. A workload without our label is allowed unread; one that is being
 * deleted, or was wrong before the update already, is never held up. Leases and LeaseRequests are judged even while they are being deleted:
 * as long as they exist, what they say of holders counts.
 */
import { hasCode, KonductorError } from "../../shared/errors.ts";
import { list, record, text } from "../../shared/json.ts";
import { GROUP, LEASE_LABEL, PROPAGATED_ANNOTATION, SUSPENDED_ANNOTATION } from "../../shared/names.ts";
import type { AdmissionContext } from "./admission-context.ts";
import { admitDoneWork, deletionWarnings } from "./done-work.ts";
import { admitLease } from "./forced-release.ts";
import { injectPod } from "./inject.ts";
import { stampRequest } from "./lease-request.ts";
import { isCronJob, isPodTemplate, isRecord, isTemplateOwner, type Metadata } from "./objects.ts";
import { withStoredMarks } from "./own-marks.ts";
import { createJob, isLabelled, mutateCronJob, updateJob, warnOwner } from "./owners.ts";
import { diff, diffPod, type Patch } from "./patch.ts";
import { stampPause } from "./pause-stamp.ts";
import { planPod } from "./plan.ts";
import {
  type AdmissionRequest,
  type AdmissionResponse,
  allowed,
  denied,
  errored,
  patched,
} from "./review.ts";
import { placePod, placeRequest, placeWholeJob, type TracedAdmission, tracedOf } from "./traced.ts";
import { isWholeJob, suspensionWarning } from "./whole-job.ts";

interface Admitted {
  patch: Patch;
  warnings: string[];
  /** Of a claimant's creation, while traces are on. */
  traced?: TracedAdmission | undefined;
}

type Admit = (object: unknown, request: AdmissionRequest, context: AdmissionContext) => Admitted;

const ADMITTERS: Readonly<Record<string, Admit>> = {
  "/Pod": admitPod,
  "batch/Job": admitJob,
  "batch/CronJob": admitCronJob,
  "apps/Deployment": admitOwner,
  "apps/StatefulSet": admitOwner,
  "apps/DaemonSet": admitOwner,
  [`${GROUP}/Lease`]: admitLeaseWrite,
  [`${GROUP}/LeaseRequest`]: admitLeaseRequest,
};

/** A kind of object as admission judges it, without its group; undefined: admission leaves it alone. */
export function judgedKind(kind: string): string | undefined {
  return Object.hasOwn(ADMITTERS, kind) ? kind.slice(kind.indexOf("/") + 1) : undefined;
}

/** Answers every well-formed request; throws only what is a fault of ours. `onTraced`: told of an admission that is a part of a trace. */
export function mutate(
  request: AdmissionRequest,
  context: AdmissionContext,
  onTraced?: (traced: TracedAdmission) => void,
): AdmissionResponse {
  const { uid, operation, object } = request;
  const admit = ADMITTERS[request.kind];
  const isWrite = operation === "CREATE" || operation === "UPDATE";
  const isOurs = request.kind.startsWith(`${GROUP}/`);
  if (operation === "DELETE" && request.kind === `${GROUP}/Lease`)
    return allowed(uid, deletionWarnings(request.oldObject));
  if (!admit || !isWrite || request.subResource !== "" || (isBeingDeleted(object) && !isOurs)) {
    return allowed(uid);
  }
  try {
    const { patch, warnings, traced } = admit(object, request, context);
    if (traced && !request.isDryRun) onTraced?.(traced);
    return patched(uid, patch, warnings);
  } catch (error) {
    if (hasCode(error, "BadRequest")) return errored(uid, error);
    if (!hasCode(error, "Invalid", "Forbidden")) throw error;
    if (operation === "UPDATE" && problemOf(admit, request, context) === error.message) {
      return allowed(uid, [error.message]);
    }
    return denied(uid, error.message);
  }
}

/** What was wrong with the object before this update. */
function problemOf(admit: Admit, request: AdmissionRequest, context: AdmissionContext): string | undefined {
  try {
    admit(request.oldObject, request, context);
    return undefined;
  } catch (error) {
    if (hasCode(error, "Invalid", "Forbidden", "BadRequest")) return error.message;
    throw error;
  }
}

function admitPod(
  object: unknown,
  { operation, namespace, kind }: AdmissionRequest,
  context: AdmissionContext,
): Admitted {
  if (!isPodTemplate(object)) throw malformed(kind);
  if (operation !== "CREATE" || !isLabelled(object)) return NOTHING;
  const job = isOfJob(object.metadata) ? {} : undefined;
  const plan = planPod(object, namespace, context, { path: "", job });
  const { object: pod, trace } = placePod(object, context);
  const patch = diffPod(object, injectPod(pod, plan, context.injection(), context.limitRanges.in(namespace)));
  const { lease } = plan.settings;
  return {
    patch,
    warnings: plan.warnings,
    traced: tracedOf(trace, { kind: "Pod", namespace, name: object.metadata?.name, lease }),
  };
}

function isByUs({ username }: AdmissionRequest, { account }: AdmissionContext): boolean {
  return username === account;
}

function isOfJob(metadata: Metadata | undefined): boolean {
  return list(metadata?.["ownerReferences"])
    .map(record)
    .some(
      ({ apiVersion, kind, controller }) =>
        apiVersion === "batch/v1" && kind === "Job" && controller === true,
    );
}

function admitJob(object: unknown, request: AdmissionRequest, context: AdmissionContext): Admitted {
  if (!isTemplateOwner(object)) throw malformed(request.kind);
  const old = isTemplateOwner(request.oldObject) ? request.oldObject : undefined;
  if (isByUs(request, context)) return { patch: [], warnings: [] };
  const { object: job, warnings } = withStoredMarks(object, old, { written: [SUSPENDED_ANNOTATION] });
  const { namespace } = request;
  if (request.operation === "UPDATE") {
    const updated = updateJob(job, old ?? job, namespace, context);
    return { patch: diff(object, updated.object), warnings: [...warnings, ...updated.warnings] };
  }
  const outcome = createJob(job, namespace, context);
  const isWhole = isWholeJob(outcome.object);
  const { object: created, trace } = placeWholeJob(outcome.object, isWhole ? context : {});
  const lease = created.spec.template.metadata?.labels?.[LEASE_LABEL];
  return {
    patch: diff(object, created),
    warnings: [...warnings, ...outcome.warnings, ...suspensionWarning(object, created)],
    traced: tracedOf(trace, { kind: "Job", namespace, name: job.metadata?.name, lease }),
  };
}

function admitCronJob(object: unknown, request: AdmissionRequest, context: AdmissionContext): Admitted {
  if (!isCronJob(object)) throw malformed(request.kind);
  const old = isCronJob(request.oldObject) ? request.oldObject : undefined;
  const { object: cronJob, warnings } = withStoredMarks(object, old, {
    written: [PROPAGATED_ANNOTATION],
    removable: [PROPAGATED_ANNOTATION],
  });
  const outcome = mutateCronJob(cronJob, request.namespace, context, old);
  return { patch: diff(object, outcome.object), warnings: [...warnings, ...outcome.warnings] };
}

function admitOwner(
  object: unknown,
  { namespace, kind }: AdmissionRequest,
  context: AdmissionContext,
): Admitted {
  if (!isTemplateOwner(object)) throw malformed(kind);
  return { patch: [], warnings: warnOwner(kind.slice("apps/".length), object, namespace, context) };
}

function admitLeaseWrite(object: unknown, request: AdmissionRequest, { clock }: AdmissionContext): Admitted {
  if (!isRecord(object)) throw malformed(request.kind);
  const forced = admitLease(object, request);
  const outcome = admitDoneWork(forced.object, request, clock.nowMs());
  const stamped = stampPause(outcome.object, request, clock.nowMs());
  return { patch: diff(object, stamped), warnings: [...forced.warnings, ...outcome.warnings] };
}

function admitLeaseRequest(object: unknown, request: AdmissionRequest, context: AdmissionContext): Admitted {
  if (!isRecord(object)) throw malformed(request.kind);
  const stamped = stampRequest(object, request, context.clock.nowMs());
  if (request.operation !== "CREATE") return { patch: diff(object, stamped), warnings: [] };
  const { object: placed, trace } = placeRequest(stamped, context);
  const { namespace } = request;
  const [name, lease] = [record(placed["metadata"])["name"], record(placed["spec"])["lease"]].map(text);
  const traced = tracedOf(trace, { kind: "LeaseRequest", namespace, name, lease });
  return { patch: diff(object, placed), warnings: [], traced };
}

const NOTHING: Admitted = { patch: [], warnings: [] };

function malformed(kind: string): KonductorError {
  return new KonductorError(
    "BadRequest",
    `request.object is not a ${kind.split("/")[1]} as the API server sends it`,
  );
}

function isBeingDeleted(object: unknown): boolean {
  return (
    isRecord(object) &&
    isRecord(object["metadata"]) &&
    typeof object["metadata"]["deletionTimestamp"] === "string"
  );
}

/**
 * The trace of a hold begins here, with the admission of whoever is to hold. Its traceparent goes into an annotation, from which the
 * replicas that see the rest learn where their spans hang. A user's own annotation continues the user's trace.
 */
import { isLeaseName } from "../../lease/naming.ts";
import { parseTraceParent } from "../../lease/traceparent.ts";
import { record, text } from "../../shared/json.ts";
import { ANNOTATION } from "../../shared/names.ts";
import type { AdmissionContext } from "./admission-context.ts";
import { isManaged } from "./authorship.ts";
import type { Metadata, PodTemplate, TemplateOwner } from "./objects.ts";

/** An admission that is a part of the trace of a hold. */
export interface TracedAdmission {
  kind: "Pod" | "Job" | "LeaseRequest";
  namespace: string;
  /** undefined where the API server has not made it up yet. */
  name: string | undefined;
  /** Of the Lease. */
  lease: string;
  /** As the object carries it. */
  traceparent: string;
  /** The traceparent names this admission; otherwise it names what the admission is a part of. */
  isRoot: boolean;
}

type Tracing = Pick<AdmissionContext, "newTraceParent">;

/** An object with its place in a trace; `trace` is undefined where there is nothing to tell. */
export interface Placed<T> {
  object: T;
  trace: Pick<TracedAdmission, "traceparent" | "isRoot"> | undefined;
}

const LONGEST_NAME = 253;

/** `trace` as that of the admission of `what`; undefined where there is none, or of what the API server will refuse: it may name anything. */
export function tracedOf(
  trace: Placed<unknown>["trace"],
  {
    lease = "",
    name,
    ...what
  }: Omit<TracedAdmission, "lease" | "traceparent" | "isRoot"> & { lease: string | undefined },
): TracedAdmission | undefined {
  if (!trace || !isLeaseName(lease) || (name?.length ?? 0) > LONGEST_NAME) return undefined;
  return { ...what, lease, name, ...trace };
}

/** A pod at its creation. One that shares its Job's hold begins no trace. */
export function placePod(pod: PodTemplate, tracing: Tracing): Placed<PodTemplate> {
  const { metadata = {} } = pod;
  const mayBegin = metadata.annotations?.[ANNOTATION.gate] !== "job";
  const { trace, annotations } = place(metadata, METADATA, metadata, { ...tracing, mayBegin });
  return { object: annotations ? { ...pod, metadata: { ...metadata, annotations } } : pod, trace };
}

/** A Job that waits as a whole, at its creation: its template carries what is said of its hold. */
export function placeWholeJob(job: TemplateOwner, tracing: Tracing): Placed<TemplateOwner> {
  const { metadata: own = {}, spec } = job;
  const { metadata = {} } = spec.template;
  const { trace, annotations } = place(metadata, TEMPLATE_METADATA, own, { ...tracing, mayBegin: true });
  if (!annotations) return { object: job, trace };
  const template = { ...spec.template, metadata: { ...metadata, annotations } };
  return { object: { ...job, spec: { ...spec, template } }, trace };
}

/** A client's LeaseRequest at its creation. */
export function placeRequest(
  request: Record<string, unknown>,
  tracing: Tracing,
): Placed<Record<string, unknown>> {
  const metadata: Metadata = record(request["metadata"]);
  const mayBegin = Object.keys(record(metadata.annotations)).length < MOST_ANNOTATIONS;
  const { trace, annotations } = place(metadata, METADATA, metadata, { ...tracing, mayBegin });
  return { object: annotations ? { ...request, metadata: { ...metadata, annotations } } : request, trace };
}

/** As many as a policy lets a LeaseRequest have. */
const MOST_ANNOTATIONS = 16;

const METADATA = ["metadata"];
const TEMPLATE_METADATA = ["spec", "template", "metadata"];

/** `annotations`: those at `path`, if one was added. `own`: the object's metadata, which tells who wrote them. */
function place(
  { annotations }: Metadata,
  path: readonly string[],
  own: Metadata,
  { newTraceParent, mayBegin }: Tracing & { mayBegin: boolean },
): Pick<Placed<unknown>, "trace"> & { annotations?: Record<string, string> } {
  if (!newTraceParent) return { trace: undefined };
  const present = text(record(annotations)[ANNOTATION.traceparent]);
  if (present !== undefined) {
    // One that nobody manages is our own: this is a later call for the same request, and an earlier one was told of.
    const isUsers = isManaged(own, [...path, "annotations", ANNOTATION.traceparent]);
    const isTold = isUsers && parseTraceParent(present) !== undefined;
    return { trace: isTold ? { traceparent: present, isRoot: false } : undefined };
  }
  if (!mayBegin) return { trace: undefined };
  const traceparent = newTraceParent();
  return {
    trace: { traceparent, isRoot: true },
    annotations: { ...record(annotations), [ANNOTATION.traceparent]: traceparent },
  };
}

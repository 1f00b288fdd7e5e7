/**
 * AdmissionReview (admission.k8s.io/v1): read once at the edge, and the four answers that a webhook can give, after
 * controller-runtime's admission/response.go.
 */
import { KonductorError } from "../../shared/errors.ts";
import { isRecord } from "./objects.ts";
import type { Patch } from "./patch.ts";

const LONGEST_SENTENCE = 2_000;
/** Of a group, a kind, a namespace or an operation, as the API server writes them. Whoever calls us himself may write anything, and all of it would be logged. */
const LONGEST_WORD = 253;
const REVIEW = { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview" } as const;

export interface AdmissionRequest {
  uid: string;
  /** Group and kind, e.g. "batch/Job" or "/Pod". */
  kind: string;
  subResource: string;
  operation: string;
  namespace: string;
  /** Who asks, as the API server has authenticated it. */
  username: string;
  /** Nothing will be stored. */
  isDryRun: boolean;
  /** What is to be stored; undefined at DELETE. */
  object: unknown;
  /** What is stored; undefined at CREATE. */
  oldObject: unknown;
}

export interface AdmissionResponse {
  uid: string;
  allowed: boolean;
  status?: { code: number; reason: string; message: string };
  patchType?: "JSONPatch";
  /** base64 */
  patch?: string;
  warnings?: string[];
}

export interface AdmissionReview {
  apiVersion: string;
  kind: string;
  response: AdmissionResponse;
}

/** @throws KonductorError `BadRequest` for anything but an AdmissionReview with a request. */
export function parseReview(body: unknown): AdmissionRequest {
  const refuse = (what: string): never => {
    throw new KonductorError(
      "BadRequest",
      `the body is not an AdmissionReview of admission.k8s.io/v1: ${what}`,
    );
  };
  if (!isRecord(body)) return refuse("it is not a JSON object");
  for (const [field, wanted] of Object.entries(REVIEW)) {
    if (body[field] !== wanted) refuse(`${field} is ${shown(body[field])}, not "${wanted}"`);
  }
  const { request } = body;
  if (!isRecord(request)) return refuse("it has no request");
  const { uid, kind, subResource, operation, namespace, userInfo } = request;
  const words = {
    ...(isRecord(kind) && { "kind.group": kind["group"], "kind.kind": kind["kind"] }),
    subResource,
  };
  for (const [field, word] of Object.entries({ ...words, operation, namespace }))
    if (typeof word === "string" && word.length > LONGEST_WORD)
      refuse(`request.${field} has more than ${LONGEST_WORD} characters`);
  if (typeof uid !== "string" || uid === "") return refuse(`request.uid is ${shown(uid)}`);
  if (typeof operation !== "string") return refuse(`request.operation is ${shown(operation)}`);
  if (!isRecord(kind) || typeof kind["kind"] !== "string") return refuse(`request.kind is ${shown(kind)}`);
  if (!isRecord(userInfo) || typeof userInfo["username"] !== "string") {
    return refuse(`request.userInfo is ${shown(userInfo)}`);
  }
  return {
    uid,
    kind: `${typeof kind["group"] === "string" ? kind["group"] : ""}/${kind["kind"]}`,
    subResource: typeof subResource === "string" ? subResource : "",
    operation,
    namespace: typeof namespace === "string" ? namespace : "",
    username: userInfo["username"],
    isDryRun: request["dryRun"] === true,
    object: request["object"] ?? undefined,
    oldObject: request["oldObject"] ?? undefined,
  };
}

export function allowed(uid: string, warnings: string[] = []): AdmissionResponse {
  return { uid, allowed: true, ...(warnings.length > 0 && { warnings: warnings.map(cut) }) };
}

/** Refused by a rule; kubectl shows the message. */
export function denied(uid: string, message: string): AdmissionResponse {
  return { uid, allowed: false, status: { code: 403, reason: "Forbidden", message: cut(message) } };
}

/** Allowed, after `patch` was applied. */
export function patched(uid: string, patch: Patch, warnings: string[] = []): AdmissionResponse {
  if (patch.length === 0) return allowed(uid, warnings);
  const encoded = Buffer.from(JSON.stringify(patch)).toString("base64");
  return { ...allowed(uid, warnings), patchType: "JSONPatch", patch: encoded };
}

/** The request could not be judged. */
export function errored(uid: string, error: KonductorError): AdmissionResponse {
  const { status: code, code: reason, message } = error;
  return { uid, allowed: false, status: { code, reason, message: cut(message) } };
}

export function reviewOf(response: AdmissionResponse): AdmissionReview {
  return { ...REVIEW, response };
}

/** A sentence may name the object, and that name may be as long as the object: the API server has not validated it yet. */
function cut(sentence: string): string {
  return sentence.length <= LONGEST_SENTENCE ? sentence : `${sentence.slice(0, LONGEST_SENTENCE)}…`;
}

function shown(value: unknown): string {
  return value === undefined ? "missing" : (JSON.stringify(value) ?? "unreadable").slice(0, 60);
}

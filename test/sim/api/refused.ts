import { apiVersion, type Resource } from "../../../src/kube/resources.ts";

const REASONS: Readonly<Record<number, string>> = {
  400: "BadRequest",
  403: "Forbidden",
  404: "NotFound",
  409: "Conflict",
  410: "Expired",
  422: "Invalid",
  429: "TooManyRequests",
  500: "InternalError",
  503: "ServiceUnavailable",
};

/** A refusal by the API server: an HTTP status, and its `Status` document. */
export class Refused extends Error {
  readonly status: number;
  readonly body: object;

  constructor(
    status: number,
    message: string,
    { reason = REASONS[status] ?? "InternalError", details }: { reason?: string; details?: object } = {},
  ) {
    super(message);
    this.status = status;
    const said = { kind: "Status", apiVersion: "v1", status: "Failure", message, reason, code: status };
    this.body = { ...said, ...(details && { details }) };
  }
}

/** `leases.konductor.io "x"`, as the API server names it. */
function named({ plural, group }: Resource, name: string): string {
  return `${plural}${group === "" ? "" : `.${group}`} "${name}"`;
}

function detailsOf({ plural, group }: Resource, name: string): object {
  return { name, kind: plural, ...(group !== "" && { group }) };
}

export const notFound = (resource: Resource, name: string) =>
  new Refused(404, `${named(resource, name)} not found`, { details: detailsOf(resource, name) });

export const alreadyExists = (resource: Resource, name: string) =>
  new Refused(409, `${named(resource, name)} already exists`, {
    reason: "AlreadyExists",
    details: detailsOf(resource, name),
  });

export const conflict = (resource: Resource, name: string, why: string) =>
  new Refused(409, `Operation cannot be fulfilled on ${named(resource, name)}: ${why}`);

export const MODIFIED =
  "the object has been modified; please apply your changes to the latest version and try again";

/** `field` is the invalid field, if it is known. */
export const invalid = ({ kind, group }: Resource, name: string, why: string, field?: string) =>
  new Refused(422, `${kind}${group === "" ? "" : `.${group}`} "${name}" is invalid: ${why}`, {
    ...(field !== undefined && { details: { name, group, kind, causes: [{ field, message: why }] } }),
  });

export const tooOld = (resource: Resource) =>
  new Refused(410, `too old resource version of ${apiVersion(resource)} ${resource.plural}`);

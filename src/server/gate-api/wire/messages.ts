/** The requests of gate and keeper, parsed once. Each parser throws a Refusal `BadRequest` that names the field. */
import { isLeaseName } from "../../../lease/naming.ts";
import { isGateRun } from "../../../shared/gate-run.ts";
import { integer, record, text } from "../../../shared/json.ts";
import { Refusal } from "../../refusal.ts";

export interface AcquireRequest {
  lease: string;
  /** The hold that this pod's keeper lost: its gate runs, so main has ended. */
  lostToken?: number;
  /** Which run of the pod's gate asks. */
  gateRun?: string;
}

export interface HoldRequest {
  lease: string;
  token: number;
  /** When the sending keeper began to run or, where it announces or releases, was asked to stop. */
  keeperSince?: string;
}

export interface RenewRequest extends HoldRequest {
  /** The ttl that the keeper counts with. */
  ttlMs: number;
  /** Set when a gate confirms a grant. */
  gateRun?: string;
}

export interface ReleaseRequest extends HoldRequest {
  /** From the start of the keeper's preStop hook to its SIGTERM, by the pod's own clock. */
  sincePreStopMs?: number;
}

const SHORTEST_TTL_MS = 1_000;

export function parseAcquire(body: unknown): AcquireRequest {
  const { lease, lostToken } = record(body);
  return {
    lease: leaseName(lease),
    ...moment("gateRun", body),
    ...(lostToken != null && { lostToken: number("lostToken", lostToken, 1) }),
  };
}

export function parseHold(body: unknown): HoldRequest {
  const { lease, token } = record(body);
  return { lease: leaseName(lease), token: number("token", token, 1), ...moment("keeperSince", body) };
}

export function parseRenew(body: unknown): RenewRequest {
  const { ttlMs } = record(body);
  return {
    ...parseHold(body),
    ...moment("gateRun", body),
    // A klease may have any longer ttl, and no more is believed than the hold has.
    ttlMs: number("ttlMs", ttlMs, SHORTEST_TTL_MS),
  };
}

export function parseRelease(body: unknown): ReleaseRequest {
  const { sincePreStopMs } = record(body);
  return {
    ...parseHold(body),
    ...(sincePreStopMs != null && { sincePreStopMs: number("sincePreStopMs", sincePreStopMs, 0) }),
  };
}

function moment<F extends "gateRun" | "keeperSince">(field: F, body: unknown): { [K in F]?: string } {
  const value = record(body)[field];
  if (value == null) return {};
  const said = text(value);
  if (said === undefined || !isGateRun(said)) {
    throw new Refusal("BadRequest", `${field}: the boot id and the milliseconds since boot are required`);
  }
  const read: { [K in F]?: string } = {};
  read[field] = said;
  return read;
}

function leaseName(value: unknown): string {
  const name = text(value);
  if (name === undefined || !isLeaseName(name)) {
    throw new Refusal("BadRequest", "lease: the name of a klease is required");
  }
  return name;
}

function number(field: string, value: unknown, least: number): number {
  const whole = integer(value);
  if (whole === undefined || whole < least) {
    throw new Refusal("BadRequest", `${field}: a whole number from ${least} on is required`);
  }
  return whole;
}

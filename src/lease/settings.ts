/**
 * What a user asks for, read from the label and the annotations of a pod, pod template, Job or CronJob. Nothing is
 * guessed and nothing is ignored: an annotation of ours that cannot be read is a problem, not a default.
 */
import { hasCode, KonductorError } from "../shared/errors.ts";
import { defined, textMap } from "../shared/json.ts";
import { ANNOTATION, GROUP, LEASE_LABEL, OWN_MARKS } from "../shared/names.ts";
import { formatDuration, parseDuration } from "./duration.ts";
import { isLeaseName, LEASE_NAME_RULE } from "./naming.ts";
import { isOnceKey, ONCE_KEY_RULE } from "./once.ts";
import { OWN_RESOURCES_RULE, type OwnResources, parseOwnResources } from "./own-resources.ts";
import { closest } from "./spelling.ts";
import { TRACEPARENT_RULE, traceParentIn } from "./traceparent.ts";
import { DEFAULT_TTL_MS } from "./types.ts";

const IF_HELD = ["wait", "skip", "fail"] as const;
const GATE_MODE = ["init", "scheduling", "job"] as const;
const ON_LOST = ["terminate", "continue"] as const;

export type IfHeld = (typeof IF_HELD)[number];
export type GateMode = (typeof GATE_MODE)[number];
export type OnLost = (typeof ON_LOST)[number];

export interface Settings {
  /** Name of the Lease, in the pod's namespace. */
  lease: string;
  ifHeld: IfHeld;
  /** The gate fails after this long; undefined: it waits for ever. */
  waitTimeoutMs?: number;
  /** How many runs of one CronJob may wait. */
  maxWaiting: number;
  /** Higher first; undefined: the Lease's `spec.priority`. */
  priority?: number;
  /** How long a silent holder keeps the lease; undefined: see {@link podTtlMs}. */
  ttlMs?: number;
  renew: boolean;
  /** Renewals stop after this long; undefined: never. */
  maxHoldMs?: number;
  gate: GateMode;
  /** How long after the grant a main container may take to start. */
  startTimeoutMs: number;
  /** A holder that crash-loops after more restarts than this hands over to whoever waits; undefined: never. */
  maxRestarts?: number;
  onLost: OnLost;
  /** Mount path of the files `token` and `expires` in user containers; undefined: not mounted. */
  tokenFile?: string;
  /** The key of the work, which is not done again once it has succeeded; undefined: it is done each time. */
  once?: string;
  /** Of gate and keeper, in place of the install's; undefined: the pod sets none. */
  resources?: OwnResources;
  /** Where the spans of its holds are to hang; undefined: in a trace of their own. */
  traceparent?: string;
}

/** Whether a pod waits before it is scheduled. A Job that may be skipped must not begin anything; a Job that waits as a whole has no pods. */
export function waitsUnscheduled({ gate, ifHeld }: Pick<Settings, "gate" | "ifHeld">): boolean {
  return gate === "scheduling" || (gate === "init" && ifHeld === "skip");
}

/** Where the settings stand: an object's metadata. */
export interface SettingsSource {
  labels?: Readonly<Record<string, string>>;
  annotations?: Readonly<Record<string, string>>;
}

/** Either the settings or one sentence that names the field, the value and what is allowed. */
export type SettingsResult = { ok: true; settings: Settings } | { ok: false; problem: string };

/** How the claimant waits, and what a loss means to it. Known even if its other settings cannot be read. */
export type Mode = Pick<Settings, "gate" | "ifHeld" | "onLost">;

/** What an object asks for, read once, when the object is parsed; of bounded size, whatever annotations it carries. */
export interface Asked {
  mode: Mode;
  settings: SettingsResult;
}

const DEFAULT_MODE: Mode = { gate: "init", ifHeld: "wait", onLost: "terminate" };

/** A keeper needs a few tries before the ttl is over. */
export const MIN_POD_TTL_MS = 15_000;
export const DEFAULT_START_TIMEOUT_MS = 600_000;
const INT32_MAX = 2 ** 31 - 1;

/** PATH_MAX of Linux. */
const LONGEST_PATH = 4_096;
const ABSOLUTE_PATH = /^(\/[^/:\0]+)+\/?$/;

/** Reads label and annotations; `path` is where they stand in the object that the user wrote. */
export function readSettings(source: SettingsSource, path = "metadata"): SettingsResult {
  try {
    return { ok: true, settings: requireSettings(source, path) };
  } catch (error) {
    if (hasCode(error, "Invalid")) return { ok: false, problem: error.message };
    throw error;
  }
}

/** What an object with this label and these annotations, others' included, asks for. */
export function readAsked(lease: string | undefined, annotations: unknown): Asked {
  const own = Object.fromEntries(
    Object.entries(textMap(annotations)).filter(
      ([name]) => name.startsWith(`${GROUP}/`) || name === ANNOTATION.traceparent,
    ),
  );
  const mode = {
    gate: GATE_MODE.find((mode) => mode === own[ANNOTATION.gate]) ?? DEFAULT_MODE.gate,
    ifHeld: IF_HELD.find((mode) => mode === own[ANNOTATION.ifHeld]) ?? DEFAULT_MODE.ifHeld,
    onLost: ON_LOST.find((mode) => mode === own[ANNOTATION.onLost]) ?? DEFAULT_MODE.onLost,
  };
  return { mode, settings: readSettings({ labels: { [LEASE_LABEL]: lease ?? "" }, annotations: own }) };
}

/** The ttl of a pod's hold, given the ttl of its Lease (undefined: it has to be created). */
export function podTtlMs({ ttlMs }: Pick<Settings, "ttlMs">, leaseTtlMs: number | undefined): number {
  return Math.max(MIN_POD_TTL_MS, ttlMs ?? leaseTtlMs ?? DEFAULT_TTL_MS);
}

function requireSettings({ labels = {}, annotations = {} }: SettingsSource, path: string): Settings {
  const lease = labels[LEASE_LABEL] ?? "";
  if (!isLeaseName(lease)) {
    fail(`${path}.labels[${LEASE_LABEL}]: Invalid value: ${quoted(lease)}: ${LEASE_NAME_RULE}`);
  }
  refuseUnknown(labels, annotations, path);

  function read<T>(
    name: string,
    allowed: string,
    parse: (text: string) => T | undefined,
    verb = " is allowed",
  ): T | undefined {
    const text = annotations[name];
    if (text === undefined) return undefined;
    return parse(text) ?? fail(invalid(path, name, text, `${allowed}${verb}`));
  }
  const oneOf = <T extends string>(name: string, values: readonly T[]) =>
    read(name, values.join(" or "), (text) => values.find((value) => value === text));
  const duration = (name: string, leastMs?: number) =>
    read(
      name,
      `a Go duration such as "10m" ${leastMs ? `of at least ${formatDuration(leastMs)}` : "that is longer than 0s"}`,
      (text) => durationFrom(text, leastMs ?? Number.MIN_VALUE),
    );
  const integer = (name: string, least: number) =>
    read(name, `a whole number from ${least} to ${INT32_MAX}`, (text) => integerFrom(text, least));

  const optional = {
    waitTimeoutMs: duration(ANNOTATION.waitTimeout),
    priority: integer(ANNOTATION.priority, -INT32_MAX - 1),
    ttlMs: duration(ANNOTATION.ttl, MIN_POD_TTL_MS),
    maxHoldMs: duration(ANNOTATION.maxHold),
    maxRestarts: integer(ANNOTATION.maxRestarts, 0),
    once: read(ANNOTATION.once, ONCE_KEY_RULE, (text) => (isOnceKey(text) ? text : undefined), ""),
    resources: read(ANNOTATION.resources, OWN_RESOURCES_RULE, parseOwnResources),
    tokenFile: read(ANNOTATION.tokenFile, 'an absolute path such as "/var/run/lease"', pathFrom),
    traceparent: read(ANNOTATION.traceparent, TRACEPARENT_RULE, traceParentIn),
  };
  return {
    lease,
    ifHeld: oneOf(ANNOTATION.ifHeld, IF_HELD) ?? DEFAULT_MODE.ifHeld,
    maxWaiting: integer(ANNOTATION.maxWaiting, 0) ?? 1,
    renew: (oneOf(ANNOTATION.renew, ["true", "false"]) ?? "true") === "true",
    gate: oneOf(ANNOTATION.gate, GATE_MODE) ?? DEFAULT_MODE.gate,
    startTimeoutMs: duration(ANNOTATION.startTimeout) ?? DEFAULT_START_TIMEOUT_MS,
    onLost: oneOf(ANNOTATION.onLost, ON_LOST) ?? DEFAULT_MODE.onLost,
    ...defined(optional),
  };
}

/** A misspelt annotation, or one written as a label, would otherwise be ignored without a word. */
function refuseUnknown(
  labels: SettingsSource["labels"] & {},
  annotations: SettingsSource["annotations"] & {},
  path: string,
) {
  const known: string[] = Object.values(ANNOTATION);
  for (const name of Object.keys(annotations)) {
    if (!name.startsWith(`${GROUP}/`) || known.includes(name)) continue;
    if (OWN_MARKS.includes(name)) continue;
    const guess = closest(name, known);
    const hint = guess ? `did you mean ${guess}?` : `allowed: ${known.join(", ")}`;
    fail(invalid(path, name, annotations[name] ?? "", `konductor knows no such annotation; ${hint}`));
  }
  for (const name of Object.keys(labels)) {
    if (!name.startsWith(`${GROUP}/`) || name === LEASE_LABEL) continue;
    const hint = known.includes(name) ? "it belongs in the annotations" : `allowed: ${LEASE_LABEL}`;
    fail(
      `${path}.labels[${name}]: Invalid value: ${quoted(labels[name] ?? "")}: konductor knows no such label; ${hint}`,
    );
  }
}

function durationFrom(text: string, leastMs: number): number | undefined {
  try {
    const ms = parseDuration(text);
    return ms >= leastMs ? ms : undefined;
  } catch (error) {
    if (hasCode(error, "Invalid")) return undefined;
    throw error;
  }
}

function integerFrom(text: string, least: number): number | undefined {
  const value = /^[+-]?\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
  return value >= least && value <= INT32_MAX ? value : undefined;
}

function pathFrom(text: string): string | undefined {
  if (text.length > LONGEST_PATH) return undefined;
  const isPlain = ABSOLUTE_PATH.test(text) && !text.split("/").some((part) => part === "." || part === "..");
  return isPlain ? text.replace(/\/$/, "") : undefined;
}

function invalid(path: string, name: string, value: string, rule: string): string {
  return `${path}.annotations[${name}]: Invalid value: ${quoted(value)}: ${rule}`;
}

/** What a user wrote, at a length that can be read in one sentence. */
function quoted(value: string): string {
  return JSON.stringify(value.length > 100 ? `${value.slice(0, 100)}…` : value);
}

function fail(problem: string): never {
  throw new KonductorError("Invalid", problem);
}

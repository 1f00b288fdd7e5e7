import { ENV, STATE_DIR, TERMINATION_LOG_PATH, TOKEN_PATH } from "../shared/names.ts";
import { isCertificate } from "./wire/certificate.ts";

/** What the injected containers are told by their environment. */
export interface GateConfig {
  /** Origin of konductor's Service by ClusterIP, e.g. `https://10.96.0.7:443`. */
  url: string;
  /** DNS name of konductor's Service: the name its certificate must carry, and the second address to try. */
  host: string;
  /** PEM bundle of the CA that signs konductor's certificate. */
  ca: string;
  lease: string;
  /** Whether the restart rule was injected, so that exit 75 stops the pod's main containers. */
  fencing: boolean;
  /** How long before the deadline the main containers must begin to stop. */
  stopMs: number;
  /** Whether a pod that lost its hold may queue again (false under restartPolicy Never). */
  rerun: boolean;
  onLost: "terminate" | "continue";
  tokenPath: string;
  stateDir: string;
  /** Where what was learnt of konductor's authorities goes; undefined: nowhere. */
  trustDir: string | undefined;
  /** Where token and expiry go for the user's containers; undefined: they do not read them. */
  leaseDir: string | undefined;
  /** Where the kubelet reads the container's termination message. */
  terminationLogPath: string;
}

/** A sentence that names the variable, its value and what is allowed. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}

/** Reads the whole configuration once; throws {@link ConfigError} for the first thing that is wrong. */
export function readConfig(env: Readonly<Record<string, string | undefined>>): GateConfig {
  const required = (name: string): string => {
    const value = env[name]?.trim();
    if (!value)
      throw new ConfigError(`${name} is not set: this container is meant to be injected by konductor.`);
    return value;
  };
  const oneOf = <T extends string>(name: string, allowed: readonly T[], value: string): T => {
    const found = allowed.find((candidate) => candidate === value);
    if (found === undefined)
      throw new ConfigError(`${name} is "${value}", but must be ${allowed.join(" or ")}.`);
    return found;
  };
  const flag = (name: string, value: string): boolean => oneOf(name, ["true", "false"], value) === "true";
  return {
    url: httpsOrigin(required(ENV.url)),
    host: required(ENV.host),
    ca: certificates(required(ENV.ca)),
    lease: required(ENV.lease),
    fencing: flag(ENV.fencing, required(ENV.fencing)),
    stopMs: milliseconds(required(ENV.stopMs)),
    rerun: flag(ENV.rerun, env[ENV.rerun] || "true"),
    onLost: oneOf(ENV.onLost, ["terminate", "continue"], env[ENV.onLost] || "terminate"),
    tokenPath: env[ENV.tokenPath] || TOKEN_PATH,
    stateDir: env[ENV.stateDir] || STATE_DIR,
    trustDir: env[ENV.trustDir] || undefined,
    leaseDir: env[ENV.leaseDir] || undefined,
    terminationLogPath: env[ENV.terminationLog] || TERMINATION_LOG_PATH,
  };
}

function httpsOrigin(value: string): string {
  const url = URL.parse(value);
  if (url?.protocol !== "https:") {
    throw new ConfigError(
      `${ENV.url} is "${value}", but must be an https URL such as https://10.96.0.7:443.`,
    );
  }
  return url.origin;
}

function certificates(value: string): string {
  if (!isCertificate(value))
    throw new ConfigError(`${ENV.ca} holds no certificate, but must be a PEM bundle.`);
  return value;
}

function milliseconds(value: string): number {
  if (!/^\d{1,12}$/.test(value)) {
    throw new ConfigError(`${ENV.stopMs} is "${value}", but must be a whole number of milliseconds.`);
  }
  return Number(value);
}

/** What `koncli doctor` reports. */
import type { Known } from "../known.ts";

export type Level = "ok" | "warn" | "fail";

export interface Finding {
  /** One word that stays the same from version to version. */
  check: string;
  level: Level;
  /** What was found. */
  message: string;
  /** What to do about it. */
  todo?: string;
}

export const ok = (check: string, message: string): Finding => ({ check, level: "ok", message });
export const warn = (check: string, message: string, todo: string): Finding => ({
  ...{ check, level: "warn", message, todo },
});
export const fail = (check: string, message: string, todo: string): Finding => ({
  ...{ check, level: "fail", message, todo },
});

/** The finding about what may not be read. */
export function unknown(
  check: string,
  what: string,
  { why }: Extract<Known<unknown>, { is: "unread" }>,
): Finding {
  return warn(check, `${what} not known: ${why}`, "have somebody look who may");
}

export const APPLY_AGAIN = "apply deploy/ of konductor again (kubectl apply -k deploy), or upgrade its chart";

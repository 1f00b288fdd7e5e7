import { isDeepStrictEqual } from "node:util";
import { GATE_CONTAINER, GATE_PROGRAMS, KEEPER_CONTAINER } from "../shared/names.ts";

/**
 * Whether this is a gate or keeper that konductor injected, be it by an earlier pass, by another version, or in the pod from
 * which this one was copied. Other webhooks may have added to it, so only what it runs is looked at.
 */
export function isOwnContainer({
  name,
  command,
  args,
}: {
  name?: unknown;
  command?: unknown;
  args?: unknown;
}): boolean {
  const argument = name === GATE_CONTAINER ? "gate" : name === KEEPER_CONTAINER ? "keep" : undefined;
  const isOurs = GATE_PROGRAMS.some((program) => isDeepStrictEqual(command, program));
  return argument !== undefined && isOurs && isDeepStrictEqual(args, [argument]);
}

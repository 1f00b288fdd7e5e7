/** Calls to the API server that are refused, late, sent twice, unanswered or lost for a while. */
import type { CallFault, Line } from "../api/line.ts";
import { breakFor } from "../broken.ts";
import type { World } from "../world.ts";
import { type Event, pick } from "./event.ts";

const REFUSALS = [403, 409, 422, 429, 500, 503];
const RESOURCES = ["leases", "leaserequests", "pods", "jobs", "nodes", "tokenreviews"];

export function troubleOf({ kind, ms }: Event): CallFault {
  const status = REFUSALS[kind % REFUSALS.length] ?? 500;
  switch (kind % 7) {
    case 0:
      return { is: "unanswered", tookEffect: false };
    case 1:
      return { is: "unanswered", tookEffect: true };
    case 2:
      return { is: "broken", tookEffect: true };
    case 3:
      return { is: "late", byMs: Math.min(ms, 20_000), twice: kind % 2 === 0 };
    default:
      return { is: "refused", status, ...(status === 429 && { retryAfterSeconds: 1 + (kind % 5) }) };
  }
}

/** Lets most or all calls of one process, about one or all resources, meet `fault`. */
export function trouble(world: World, line: Line, event: Event, fault: CallFault): void {
  const isSure = event.kind % 4 === 0;
  const plural = event.kind % 3 === 0 ? undefined : pick(RESOURCES, event.kind);
  breakFor(world, event.what, event.ms, () => {
    const meet: typeof line.faultOf = (call) =>
      (plural === undefined || call.resource.plural === plural) && (isSure || world.random.chance(0.7))
        ? fault
        : undefined;
    line.troubles.add(meet);
    return () => line.troubles.delete(meet);
  });
}

/** Cuts one process off from the API servers. */
export function cut(world: World, line: Line, event: Event): void {
  breakFor(world, event.what, event.ms, () => {
    line.isCut = true;
    return () => {
      line.isCut = false;
      line.heal();
    };
  });
}

import { follow } from "../client/follow.ts";
import { standingOf } from "../client/sentences.ts";
import type { LeaseClient, Waiting, Wish } from "../client/types.ts";
import { LEASE_REQUESTS } from "../kube/resources.ts";
import { parseLeaseRequest } from "../lease/codec.ts";
import { describeTurn } from "../lease/forecast.ts";
import { waitingInOrder } from "../lease/order.ts";
import { heldBack } from "../lease/policies/held-back.ts";
import type { LeaseRequest } from "../lease/types.ts";
import { formatAge } from "../shared/age.ts";
import { LEASE_LABEL } from "../shared/names.ts";
import type { CommandContext } from "./cli-context.ts";
import { printable } from "./printable.ts";

/** What a person sees while koncli waits. */
export interface WaitingLine {
  show(waiting: Waiting): void;
  /** Removes the line. May be called twice. */
  end(): void;
}

const EVERY_MS = 1_000;
/** Return to the start of the line and clear it; text too long for the terminal is cut, not wrapped. */
const CLEAR = "\r\u001b[2K";
const [NO_WRAP, WRAP] = ["\u001b[?7l", "\u001b[?7h"];

/** On a terminal one line, kept up to date by a watch of the queue; elsewhere one line when waiting begins. */
export function showWaiting(
  { cluster: { client, namespace }, io }: CommandContext,
  leases: Pick<LeaseClient, "nowMs">,
  { timeoutMs }: Pick<Wish, "timeoutMs">,
): WaitingLine {
  const { clock, err, isTerminal } = io;
  const ended = new AbortController();
  let latest: Waiting | undefined;
  let endMs = Number.POSITIVE_INFINITY;
  let queue: Pick<ReturnType<typeof followQueue>, "objects"> | undefined;

  function followQueue({ request }: Waiting) {
    const label = `${LEASE_LABEL}=${request.spec.lease}`;
    return follow({
      ...{ client, clock, namespace, signal: ended.signal },
      resource: LEASE_REQUESTS,
      selector: { label },
      parse: parseLeaseRequest,
    });
  }

  function draw(): void {
    if (!latest || ended.signal.aborted) return;
    const requests = [...(queue?.objects?.values() ?? [])];
    const nowMs = leases.nowMs();
    const text = describeWaiting(latest, { requests, nowMs, leftMs: endMs - clock.monotonicMs() });
    err(`${CLEAR}${NO_WRAP}${text}${WRAP}`);
    clock.after(EVERY_MS, draw);
  }

  return {
    show(waiting) {
      const isFirst = latest === undefined;
      latest = waiting;
      if (!isFirst || ended.signal.aborted) return;
      endMs = clock.monotonicMs() + timeoutMs;
      if (isTerminal) {
        queue = followQueue(waiting);
        draw();
      } else err(`${firstLine(waiting, leases.nowMs())}\n`);
    },
    end() {
      if (ended.signal.aborted) return;
      if (latest && isTerminal) err(CLEAR);
      ended.abort();
    },
  };
}

function firstLine({ lease, request }: Waiting, nowMs: number): string {
  const standing = lease && standingOf(lease, nowMs);
  const who = standing ? `, which ${standing}` : "";
  return printable(`waiting for klease ${request.spec.lease}${who}`);
}

/** "waiting for klease nightly: position 2 of 5, held by web-1 for 8m more, 24s left". */
export function describeWaiting(
  { lease, request }: Waiting,
  { requests, nowMs, leftMs }: { requests: readonly LeaseRequest[]; nowMs: number; leftMs: number },
): string {
  const waiting = lease ? waitingInOrder(lease, requests) : [];
  const index = waiting.findIndex(({ uid }) => uid === request.uid);
  const hold = lease?.status.hold;
  const turn = lease && index >= 0 ? describeTurn(lease, index + 1, nowMs) : undefined;
  const holdLeftMs = hold ? hold.expiresMs - nowMs : 0;
  const parts = [
    index >= 0 && `position ${index + 1} of ${waiting.length}`,
    !lease && "it does not exist",
    hold &&
      `held by ${hold.holder}${holdLeftMs > 0 ? ` for ${formatAge(holdLeftMs)} more unless renewed` : ""}`,
    lease && heldBack(lease, nowMs)?.why,
    turn && `its turn probably comes ${turn}`,
    Number.isFinite(leftMs) && `${formatAge(leftMs)} left`,
  ].filter((part) => typeof part === "string");
  return printable(`waiting for klease ${request.spec.lease}: ${parts.join(", ")}`);
}

import type { Condition, Hold, Lease, LeaseStatus } from "./types.ts";

/** The conditions of a Lease that are true, for people and `kubectl wait`. `nowMs` stamps those that were not true before. */
export function conditionsOf({ name }: Lease, { hold, conditions }: LeaseStatus, nowMs: number): Condition[] {
  const wanted = [
    { type: "Ready", reason: "LeaseReady", message: "konductor arbitrates this klease" },
    hold?.releasing && {
      type: "Releasing",
      reason: "HolderEnding",
      message: `${hold.holder} announced its end; waiting for proof that its containers have stopped`,
    },
    hold?.revoked && {
      type: "Revoked",
      reason: hold.revoked,
      message: revocation(hold),
    },
    hold?.unreachable && {
      type: "HolderUnreachable",
      reason: "NoProofOfTermination",
      message:
        `${hold.holder} expired and nothing proves that its containers have stopped` +
        `${placesOf(hold)}: if the node is off, taint it with ` +
        `node.kubernetes.io/out-of-service; otherwise make sure that they have stopped, then run koncli lease release ${name} --force`,
    },
  ].filter((condition) => typeof condition === "object");
  return wanted.map((condition) => {
    const before = conditions.find(({ type, status }) => type === condition.type && status === "True");
    return { ...condition, status: "True" as const, lastTransitionMs: before?.lastTransitionMs ?? nowMs };
  });
}

function revocation(hold: Hold): string {
  const refused = `${causeOfRevocation(hold)}; its renewals are refused`;
  return hold.revoked === "Forced"
    ? `${refused}, and the next waiter is granted once ${hold.holder} has ended`
    : refused;
}

/** Why its holder loses a revoked hold, as the beginning of a sentence; `by`: the admin who took it away. */
export function causeOfRevocation({ holder, revoked }: Hold, by = "an admin"): string {
  switch (revoked) {
    case "NotStarted":
      return `no main container of ${holder} started in time`;
    case "CrashLooping":
      return `a main container of ${holder} crash-loops after more than max-restarts restarts while others wait`;
    default:
      return `${by} took the klease from ${holder}`;
  }
}

const MOST_PLACES = 10;

/** Where the pods are that may be running under the hold, as far as known. */
function placesOf({ ref, pods }: Hold): string {
  if (!pods) return ref.node === undefined ? "" : ` on node ${ref.node}`;
  const places = pods.map(({ name, node = "unknown" }) => `pod ${name} on node ${node}`);
  const more = places.length > MOST_PLACES ? ` and ${places.length - MOST_PLACES} more` : "";
  return ` (${places.slice(0, MOST_PLACES).join(", ")}${more})`;
}

import { describePause } from "./pause.ts";
import type { Condition, Hold, Lease, LeaseRequest, LeaseStatus } from "./types.ts";

/** A condition, before it is known since when it is so. */
type Finding = Pick<Condition, "type" | "status" | "reason" | "message">;

type Words = readonly [reason: string, message: string];

/** Every condition of a Lease, for people and `kubectl wait`. `nowMs` stamps those that were not so before. */
export function conditionsOf(lease: Lease, status: LeaseStatus, nowMs: number): Condition[] {
  const { conditions } = status;
  return findingsOf(lease, status).map((found) => {
    const before = conditions.find(({ type, status }) => type === found.type && status === found.status);
    return { ...found, lastTransitionMs: before?.lastTransitionMs ?? nowMs };
  });
}

/** Whether the status has every condition: an older konductor wrote only those that were true. */
export function hasAllConditions(lease: Lease): boolean {
  const { conditions } = lease.status;
  return findingsOf(lease, lease.status).every(({ type }) => conditions.some((known) => known.type === type));
}

function findingsOf(lease: Lease, { hold, awaited }: LeaseStatus): Finding[] {
  const { name, terminating, spec } = lease;
  const ready: Words = ["LeaseReady", "konductor arbitrates this klease"];
  const deleting: Words = ["Deleting", "the klease is being deleted, and nobody is granted it any more"];
  const available: Words = ["Available", "nobody holds it"];
  const paused = finding(
    "Paused",
    spec.paused && ["Paused", `${describePause(lease)}; nobody new is granted it until it is resumed`],
    ["NotPaused", "nobody has paused it"],
  );
  if (!hold) {
    const notHeld: Words = ["NotHeld", "nobody holds it"];
    return [
      finding("Ready", !terminating && ready, deleting),
      finding("Held", false, available),
      paused,
      ...["Releasing", "Revoked"].map((type) => finding(type, false, notHeld)),
      finding("HolderUnreachable", awaited !== undefined && ["HolderOfDeletedLease", awaited], notHeld),
    ];
  }
  const { holder, expired, releasing, revoked, unreachable } = hold;
  const isSilent: Words = [
    "HolderSilent",
    `${holder} has not renewed for its whole ttl, and it is not free yet`,
  ];
  return [
    finding("Ready", !terminating && ready, deleting),
    finding("Held", expired ? isSilent : ["Granted", `${holder} holds it`], available),
    paused,
    finding(
      "Releasing",
      releasing && [
        "HolderEnding",
        `${holder} announced its end; waiting for proof that its containers have stopped`,
      ],
      ["NotAnnounced", `${holder} has announced no end`],
    ),
    finding("Revoked", revoked && [revoked, revocation(hold)], [
      "NotRevoked",
      `nobody took it from ${holder}`,
    ]),
    finding(
      "HolderUnreachable",
      unreachable && [
        "NoProofOfTermination",
        `${holder} expired and nothing proves that its containers have stopped` +
          `${placesOf(hold)}: if the node is off, taint it with ` +
          `node.kubernetes.io/out-of-service; otherwise make sure that they have stopped, then run koncli lease release ${name} --force --token ${hold.token}`,
      ],
      ["NoActionNeeded", "nobody has to act"],
    ),
  ];
}

function finding(type: string, yes: Words | false | undefined, no: Words): Finding {
  const [reason, message] = yes || no;
  return { type, status: yes ? "True" : "False", reason, message };
}

/** The condition of `request` once its status is `status`. */
export function grantedCondition(
  { granted, createdMs, spec }: LeaseRequest,
  { phase, reason, token }: LeaseRequest["status"],
  nowMs: number,
): Condition {
  const isGranted = phase === "Granted";
  // Until something becomes of it, it has the schema's default, which knows no time.
  const sinceMs = granted?.sinceMs ?? (isGranted ? nowMs : createdMs);
  return {
    ...finding(
      "Granted",
      isGranted && ["Granted", `${spec.holder} holds klease ${spec.lease}, token ${token}`],
      [reason || (phase === "Pending" ? "Waiting" : phase), NOT_GRANTED[phase]],
    ),
    lastTransitionMs: granted === undefined || granted.is === isGranted ? sinceMs : nowMs,
  };
}

const NOT_GRANTED = {
  Pending: "it waits for its turn",
  Granted: "",
  Denied: "it will not be granted",
  Expired: "its hold is over",
};

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

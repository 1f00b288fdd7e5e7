/**
 * Clients as they truly are, and what koncli or a Node program does: it asks, sees the Lease late and not in all its versions, confirms
 * its grant, runs, renews, stops in time, releases. What may run under a hold stops by itself at its deadline, also when
 * nothing gets through; killed by -9 it leaves nothing that runs.
 */
import { isLive } from "../../../../src/client/standing.ts";
import type { Hold } from "../../../../src/lease/types.ts";
import type { Api } from "./api.ts";
import type { Guards } from "./guards.ts";

export interface ClientKind {
  /** once: one try. plain: applied by kubectl, without `waitUntil`: it need not confirm its grant. */
  asks: "once" | "waits" | "patiently" | "plain";
  priority?: number;
  ttlMs?: number;
}

export interface TrueClient extends ClientKind {
  name: string;
  isDead: boolean;
  /** Nothing gets through. */
  isCut: boolean;
  state: "idle" | "waits" | "granted" | "runs";
  /** Of its last request. */
  uid?: string;
  /** What it was told about that. */
  heard?: "Granted" | "Denied";
  askedMs: number;
  /** The version of the Lease that it saw last. */
  seen: number;
  /** Its hold as it saw it last. */
  hold?: Hold;
  /** The renewal whose answer it has, and of which the Lease shows nothing yet. */
  sent?: { renewTimeMs: number; sentMs: number };
  /** When it sent the first of the renewals of which it knows no outcome. */
  firstSentMs?: number;
  /** Until then it may run, and, dead or alive, nobody else does. */
  deadlineMs: number;
}

const WAIT_MS = { once: 0, waits: 25_000, patiently: 600_000, plain: undefined };

export interface Clients {
  ask(client: TrueClient): void;
  /** Takes in up to `count` newer versions of the Lease, the last of them alone. */
  look(client: TrueClient, count: number): void;
  /** Asks for a renewal, or confirms its grant; `isHeard`: it gets the answer. */
  renew(client: TrueClient, isHeard: boolean): void;
  release(client: TrueClient): void;
  crash(client: TrueClient): void;
  /** Stops what has come to its deadline. */
  keepTime(client: TrueClient): void;
}

export function createClient(index: number, kind: ClientKind): TrueClient {
  const never = Number.NEGATIVE_INFINITY;
  const name = `client-${index}`;
  return {
    ...kind,
    name,
    isDead: false,
    isCut: false,
    state: "idle",
    askedMs: 0,
    seen: 0,
    deadlineMs: never,
  };
}

/** Whether a hold of its that nobody confirmed yet, or that it has lost, could still let it run. */
export function mayYetRun({ isDead, asks, state, hold, firstSentMs }: TrueClient, token: number): boolean {
  if (isDead || state === "idle") return false;
  return asks === "plain" || state === "runs" || (hold?.token === token && firstSentMs !== undefined);
}

const reaches = ({ isDead, isCut }: TrueClient) => !isDead && !isCut;

export function clientsOf({ api, now, guards }: { api: Api; now(): number; guards: Guards }): Clients {
  function giveUp(client: TrueClient): void {
    client.state = "idle";
    forget(client);
  }

  function forget(client: TrueClient): void {
    delete client.hold;
    delete client.sent;
    delete client.firstSentMs;
  }

  function runUntil(client: TrueClient, deadlineMs: number): void {
    client.deadlineMs = Math.max(client.deadlineMs, deadlineMs);
    if (client.deadlineMs > now()) client.state = "runs";
  }

  function takeGrant(client: TrueClient, hold: Hold): void {
    client.hold = hold;
    client.heard = "Granted";
    client.state = "granted";
    if (!guards.confirm) runUntil(client, now() + hold.ttlMs);
  }

  /** Its user sees that the request is granted, looks at the Lease after that, and counts from when it was asked for. */
  function runUnconfirmed(client: TrueClient, { token, ttlMs }: Hold): void {
    const isTold = api.requests().get(client.name)?.status.phase === "Granted";
    if (isTold && api.lease()?.status.hold?.token === token) runUntil(client, client.askedMs + ttlMs);
  }

  /** What has become of its renewal, as src/client/renewal.ts finds out. */
  function takeAnswer(client: TrueClient, before: Hold, hold: Hold): void {
    client.hold = hold;
    const { sent } = client;
    if (!sent || (hold.renewTimeMs ?? 0) < sent.renewTimeMs) return;
    const isTaken = hold.confirmed && (!before.confirmed || hold.renewals > before.renewals);
    if (isTaken) runUntil(client, sent.sentMs + hold.ttlMs);
    delete client.sent;
    delete client.firstSentMs;
  }

  return {
    ask(client) {
      if (!reaches(client) || client.state !== "idle") return;
      if (client.uid !== undefined) api.deleteRequest({ uid: client.uid });
      forget(client);
      const created = api.createRequest({ ...client, waitMs: WAIT_MS[client.asks] });
      if (!created) return;
      delete client.heard;
      client.uid = created.uid;
      client.state = "waits";
      client.askedMs = now();
      client.deadlineMs = Number.NEGATIVE_INFINITY;
    },
    look(client, count) {
      if (!reaches(client) || client.state === "idle") return;
      client.seen = Math.min(api.leaseVersions.length - 1, client.seen + count);
      const lease = api.leaseVersions[client.seen];
      const hold = lease?.status.hold;
      const isMine = lease && hold && hold.ref.uid === client.uid && isLive(lease, hold);
      if (client.hold) {
        if (isMine) takeAnswer(client, client.hold, hold);
        else giveUp(client);
      } else if (isMine) takeGrant(client, hold);
      else {
        const request = api.requests().get(client.name);
        if (request?.uid === client.uid && request?.status.phase === "Denied") client.heard = "Denied";
        if (request?.uid !== client.uid || ["Denied", "Expired"].includes(request?.status.phase ?? ""))
          giveUp(client);
      }
      if (client.asks === "plain" && client.state === "granted" && client.hold)
        runUnconfirmed(client, client.hold);
    },
    renew(client, isHeard) {
      const { uid, hold } = client;
      if (!reaches(client) || uid === undefined || !hold) return;
      const sentMs = now();
      const renewed = api.renew(uid);
      if (!renewed) return giveUp(client);
      client.firstSentMs ??= sentMs;
      if (!isHeard) return;
      client.sent = {
        renewTimeMs: renewed.spec.renewTimeMs ?? 0,
        sentMs: guards.countFromFirst ? client.firstSentMs : sentMs,
      };
    },
    release(client) {
      if (!reaches(client) || client.state === "idle" || client.uid === undefined) return;
      giveUp(client);
      client.deadlineMs = Number.NEGATIVE_INFINITY;
      api.deleteRequest({ uid: client.uid });
    },
    crash(client) {
      client.isDead = true;
    },
    keepTime(client) {
      if (client.state === "runs" && client.deadlineMs <= now()) giveUp(client);
    },
  };
}

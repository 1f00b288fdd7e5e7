/** After the events have stopped, one arbiter is left and everybody behaves well, until nothing is left to be done: C3 and C4. */
import { deletableAtMs } from "../../../../src/controller/follow-ups.ts";
import { CONFIRM_WITHIN_MS, EXPIRY_ALLOWANCE_MS } from "../../../../src/lease/decision.ts";
import { isWaiting } from "../../../../src/lease/order.ts";
import type { Hold } from "../../../../src/lease/types.ts";
import { Broken } from "../world/api.ts";
import { KINDS } from "./arbiter.ts";
import type { TrueClient } from "./client.ts";
import type { World } from "./world.ts";

const LONGEST_MS = 400_000;
/** One try is told what became of it so soon, also where the Lease has to be created again. */
const TOLD_WITHIN_MS = 15_000;
/** What the model's steps cost, and how long an expired Lease shows its phase. */
const STEPS_MS = 3_000;

export function settle(world: World): void {
  const { api, clients, they, arbiters, now } = world;
  const silence = createSilence(world);
  const ranSince = new Map<TrueClient, number>();
  for (const client of clients) client.isCut = false;
  const [arbiter] = arbiters;
  arbiter?.replace();
  const owed = clients.filter((client) => isOwed(world, client));
  for (const endMs = now() + LONGEST_MS; now() < endMs; ) {
    for (const client of clients) behave(client);
    do for (const kind of KINDS) arbiter?.sync(kind, Number.POSITIVE_INFINITY);
    while (arbiter?.act());
    world.check();
    silence.check();
    const isBusy = clients.some(({ isDead, state }) => !isDead && state !== "idle");
    const { hold } = api.lease()?.status ?? {};
    if (!isBusy && !hold && api.requests().size === 0) {
      checkHeard(owed);
      return;
    }
    world.pass(isBusy || hold ? 1_000 : 5_000);
  }
  const left = [...api.requests().values()].map(({ name, status }) => `${name} ${status.phase}`);
  const waiting = clients.filter(({ isDead, state }) => !isDead && state !== "idle");
  throw new Broken(
    `C3: left over: ${left.join(", ")}; waiting: ${waiting.map(({ name }) => name).join(", ")}`,
  );

  function behave(client: TrueClient): void {
    they.look(client, Number.POSITIVE_INFINITY);
    if (client.state === "granted") they.renew(client, true);
    if (client.state !== "runs") {
      ranSince.delete(client);
      return;
    }
    const sinceMs = ranSince.get(client) ?? now();
    ranSince.set(client, sinceMs);
    if (now() - sinceMs >= 3_000) they.release(client);
  }
}

/** Whether it waits, and no passing of time excuses anybody from telling it. */
function isOwed({ api, now }: World, { name, uid, isDead, asks, state }: TrueClient): boolean {
  const request = api.requests().get(name);
  if (isDead || state !== "waits" || !request || request.uid !== uid || !isWaiting(request)) return false;
  const withinMs = asks === "once" ? TOLD_WITHIN_MS : LONGEST_MS;
  return uid !== api.lease()?.status.lastRequest && deletableAtMs(request) > now() + withinMs;
}

function checkHeard(owed: readonly TrueClient[]): void {
  for (const { name, asks, heard } of owed)
    if (heard !== "Granted" && (heard === undefined || asks !== "once"))
      throw new Broken(`C3: ${name} waited, and was told ${heard ?? "nothing"}`);
}

/** C4's second half: the hold of a client that was killed blocks nobody for longer than it must. */
function createSilence({ api, clients, now }: World): { check(): void } {
  let since = { what: "", ms: 0 };
  return {
    check() {
      const hold = api.lease()?.status.hold;
      const holder = hold && clients.find(({ uid }) => uid === hold.ref.uid);
      const what = hold ? `${hold.token} ${hold.confirmed} ${hold.renewals} ${hold.expiresMs}` : "";
      if (what !== since.what) since = { what, ms: now() };
      const lastedMs = now() - since.ms;
      if (hold && holder?.isDead && lastedMs > longestMs(hold, holder))
        throw new Broken(`C4: ${holder.name} is dead, and has blocked the others for ${lastedMs} ms`);
    },
  };
}

function longestMs({ confirmed, ttlMs }: Hold, { asks }: TrueClient): number {
  return STEPS_MS + (confirmed || asks === "plain" ? ttlMs + EXPIRY_ALLOWANCE_MS : CONFIRM_WITHIN_MS);
}

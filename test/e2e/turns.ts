import { expect } from "vitest";
import { isWaiting } from "../../src/lease/order.ts";
import { passedToken } from "../../src/shared/names.ts";
import { waitFor } from "../cluster/wait.ts";
import type { Environment } from "./environment.ts";
import { type Journal, overlaps } from "./journal.ts";
import { readPods, readRequests } from "./observe.ts";

/**
 * Expects that `count` mains ran and ended, never two at once, each later one with a higher fencing token. Each pod must have run once and must still
 * exist: its gate's termination message has the token.
 */
export async function expectTurns(
  environment: Environment,
  { namespace, journal }: { namespace: string; journal: Journal },
  count: number,
): Promise<void> {
  const runs = (await journal.runs()).toSorted((a, b) => a.fromMs - b.fromMs);
  expect(overlaps(runs)).toEqual([]);
  expect(runs.filter(({ ended }) => !ended)).toEqual([]);
  const pods = await readPods(environment, namespace);
  const turns = runs.map(({ by }) => ({
    by,
    token: passedToken(pods.find(({ name }) => name === by)?.gate?.message) ?? Number.NaN,
  }));
  expect(turns).toEqual(turns.toSorted((a, b) => a.token - b.token));
  expect(new Set(turns.map(({ token }) => token)).size).toBe(count);
  expect(new Set(turns.map(({ by }) => by)).size).toBe(count);
}

/** Resolves when `count` mains have ended. */
export function waitForEnded(
  { journal }: { journal: Journal },
  count: number,
  withinMs = 60_000,
): Promise<void> {
  return waitFor({
    what: `${count} mains to have ended`,
    withinMs,
    holds: async () => (await journal.runs()).filter(({ ended }) => ended).length >= count,
  });
}

/** Resolves when `count` requests wait in the namespace. */
export function waitForQueue(
  environment: Environment,
  { namespace }: { namespace: string },
  count: number,
  withinMs = 60_000,
): Promise<void> {
  return waitFor({
    what: `${count} requests to wait in ${namespace}`,
    withinMs,
    holds: async () => (await readRequests(environment, namespace)).filter(isWaiting).length >= count,
  });
}

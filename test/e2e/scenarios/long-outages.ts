/** konductor is away for longer than some ttls. */
import { expect } from "vitest";
import { EXPIRY_ALLOWANCE_MS } from "../../../src/lease/decision.ts";
import { waitFor } from "../../cluster/wait.ts";
import { bootMs } from "../boot-time.ts";
import type { Scenario } from "../environment.ts";
import { expectWithin } from "../figures.ts";
import { HANDED_ON_WITHIN_MS, handover, holdBefore } from "../handover.ts";
import { setStage } from "../stage.ts";

const SHORT_TTL_MS = 15_000;
const LONG_TTL_MS = 120_000;
/** The time to stop a pod with one container and no probes. */
const STOP_MS = 5_000;
const SILENCE_MS = 1_000;
/** A gate pauses for at most 5 s between two tries, each of which may take 3 s for each of two addresses. */
const RECONNECTED_WITHIN_MS = 11_000;

export const longOutages: readonly Scenario[] = [
  {
    name: "while konductor is away, a holder with a ttl of 15s is stopped in time, and a holder with 2m goes on",
    row: "konductor, API server or etcd away",
    needsKubelet: "the process node has no RestartAllContainers",
    locks: ["konductor"],
    timeoutMs: 240_000,
    async run(environment) {
      const { konductor, kubectl } = environment;
      const [short, long] = await Promise.all([
        setStage(environment, "short", { ttl: "15s" }),
        setStage(environment, "long", { ttl: "2m" }),
      ]);
      const [, longHold] = await Promise.all([
        holdBefore(short, { restartPolicy: "OnFailure", onTerm: "ignore" }),
        holdBefore(long),
      ]);
      const beganMs = bootMs();
      await konductor.stop();
      const goneMs = bootMs();
      try {
        await waitFor({
          what: "the outage to outlast the short ttl",
          withinMs: SHORT_TTL_MS + EXPIRY_ALLOWANCE_MS + SILENCE_MS,
          holds: async () => bootMs() - goneMs > SHORT_TTL_MS + EXPIRY_ALLOWANCE_MS,
        });
        const [fenced] = await short.runs("old", 1);
        expectWithin(environment, {
          what: "from the end of konductor to the end of a main with a ttl of 15s",
          measuredMs: (fenced?.toMs ?? Number.NaN) - goneMs,
          // Before any other pod could be granted.
          boundMs: SHORT_TTL_MS + EXPIRY_ALLOWANCE_MS,
        });
        const [survivor] = await long.runs("old", 1);
        expect(bootMs() - (survivor?.toMs ?? Number.NaN)).toBeLessThan(SILENCE_MS);
      } finally {
        await konductor.start();
      }
      const backMs = bootMs();
      const [next] = await short.runs("next", 1);
      expectWithin(environment, {
        what: "from konductor's return to the next main of the short ttl",
        measuredMs: (next?.fromMs ?? Number.NaN) - backMs,
        boundMs: RECONNECTED_WITHIN_MS + HANDED_ON_WITHIN_MS,
      });
      const { expiresMs } = longHold;
      await long.lease(
        "a renewal of the long ttl",
        ({ status: { hold } }) => (hold?.expiresMs ?? 0) > expiresMs,
      );
      expectWithin(environment, {
        what: "an outage that a ttl of 2m outlasts",
        measuredMs: backMs - beganMs,
        boundMs: (LONG_TTL_MS * 2) / 3 - STOP_MS,
      });
      expect(await long.holds("old")).toMatchObject({ token: longHold.token });
      expect(await long.journal.runs()).toHaveLength(1);
      for (const { namespace } of [short, long])
        await kubectl("-n", namespace, "delete", "pod", "old", "--wait=false");
      await Promise.all([handover(short), handover(long)]);
    },
  },
];

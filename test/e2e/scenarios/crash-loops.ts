/** A holder with max-restarts whose main cannot stay up. */
import { expect } from "vitest";
import { ANNOTATION } from "../../../src/shared/names.ts";
import { bootMs } from "../boot-time.ts";
import type { Scenario } from "../environment.ts";
import { expectWithin } from "../figures.ts";
import { HANDED_ON_WITHIN_MS } from "../handover.ts";
import { overlaps } from "../journal.ts";
import { setStage } from "../stage.ts";

const MAX_RESTARTS = 1;
const TTL_MS = 15_000;
/** How long one container may take to stop. */
const STOP_MS = 5_000;

export const crashLoops: readonly Scenario[] = [
  {
    name: "a holder that crash-loops keeps its klease while nobody waits, and hands it over to the first waiter",
    row: "main crash-loops",
    needsKubelet: "the kubelet's back-off, and RestartAllContainers",
    async run(environment) {
      const { kubectl } = environment;
      const stage = await setStage(environment, "looping", { ttl: "15s" });
      const annotations = { [ANNOTATION.maxRestarts]: String(MAX_RESTARTS) };
      await stage.apply("old", { annotations, runsForSeconds: 0.1, exitCode: 1, restartPolicy: "Always" });
      const first = await stage.holds("old");
      await stage.pod("old", "to be restarted too often", ({ main }) =>
        main.some(({ restarts = 0 }) => restarts > MAX_RESTARTS),
      );
      const { status: alone } = await stage.lease(
        "its hold to be renewed",
        ({ status: { hold } }) => hold === undefined || hold.renewals > first.renewals,
      );
      expect(alone.hold).toMatchObject({ holder: "old", token: first.token });
      expect(alone.hold?.revoked).toBeUndefined();

      const appliedMs = bootMs();
      await stage.apply("next", { runsForSeconds: 1 });
      const [next] = await stage.runs("next", 1);
      expectWithin(environment, {
        what: "from the moment in which somebody waits behind a crash loop to their main",
        measuredMs: (next?.fromMs ?? Number.NaN) - appliedMs,
        // The keeper learns of the revocation at its next renewal.
        boundMs: TTL_MS / 3 + STOP_MS + HANDED_ON_WITHIN_MS,
      });
      const again = await stage.holds("old");
      expect(again.token).toBeGreaterThan(first.token + 1);
      await kubectl("-n", stage.namespace, "delete", "pod", "old", "--wait=false");
      const { status } = await stage.atRest();
      const past = status.history.toReversed().slice(0, 2);
      expect(past.map(({ holder, reason }) => [holder, reason])).toEqual([
        ["old", "Fenced"],
        ["next", expect.stringMatching(/^(Released|Terminated)$/)],
      ]);
      expect(overlaps(await stage.journal.runs())).toEqual([]);
    },
  },
];

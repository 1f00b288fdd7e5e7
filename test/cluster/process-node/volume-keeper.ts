/** Creates a pod's volumes when they are first needed, and renews their tokens as long as the pod lives. */

import type { Clock } from "../../../src/shared/clock.ts";
import { describeError } from "../../../src/shared/errors.ts";
import type { Logger } from "../../../src/shared/log.ts";
import type { PodAddresses } from "./environment.ts";
import type { NodeApi } from "./node-api.ts";
import type { Pod } from "./pod.ts";
import { type PodVolumes, prepareVolumes, removeVolumes } from "./volumes.ts";

export interface VolumeKeeper {
  /** Undefined until the volumes have been created. */
  readonly volumes: PodVolumes | undefined;
  /** Creates the volumes. Undefined if that was not possible: the objects that they need may still come. */
  ensure(pod: Pod): Promise<PodVolumes | undefined>;
  /** Ends all renewals. */
  stop(): void;
  /** Stops, and deletes what containers have written. */
  remove(): Promise<void>;
}

export interface VolumeKeeperOptions {
  /** The pod's folder. */
  readonly dir: string;
  readonly addresses: PodAddresses;
  readonly api: NodeApi;
  readonly clock: Clock;
  readonly logger: Logger;
}

const TOKEN_RETRY_MS = 10_000;

export function volumeKeeper({ dir, addresses, api, clock, logger }: VolumeKeeperOptions): VolumeKeeper {
  let volumes: PodVolumes | undefined;
  let stopped = false;
  let cancelRenewal = () => {};

  const prepare = (pod: Pod) => prepareVolumes({ pod, addresses, dir, api, nowMs: clock.nowMs() });

  function renewAfter(pod: Pod, delayMs: number): void {
    if (stopped || delayMs === Number.POSITIVE_INFINITY) return;
    cancelRenewal = clock.after(delayMs, async () => {
      try {
        const { renewAtMs } = await prepare(pod);
        renewAfter(pod, renewAtMs - clock.nowMs());
      } catch (error) {
        logger.warn({ error: describeError(error) }, "token not renewed, trying again");
        renewAfter(pod, TOKEN_RETRY_MS);
      }
    });
  }

  function stop(): void {
    stopped = true;
    cancelRenewal();
  }

  return {
    get volumes() {
      return volumes;
    },
    async ensure(pod) {
      if (volumes) return volumes;
      try {
        volumes = await prepare(pod);
        renewAfter(pod, volumes.renewAtMs - clock.nowMs());
      } catch (error) {
        logger.warn({ error: describeError(error) }, "volumes not ready, trying again");
      }
      return volumes;
    },
    stop,
    async remove() {
      stop();
      await removeVolumes(dir);
    },
  };
}

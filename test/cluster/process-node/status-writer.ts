/**
 * Writes a pod's latest status to the API server, one write at a time; a status that was superseded meanwhile is never written. Retries for ever, as
 * the kubelet's status manager does. Removes a finished pod that is being deleted only once its terminal phase is stored.
 */
import type { Clock } from "../../../src/shared/clock.ts";
import { describeError } from "../../../src/shared/errors.ts";
import type { Logger } from "../../../src/shared/log.ts";
import { doorbell } from "./doorbell.ts";
import type { NodeApi } from "./node-api.ts";
import { isTerminal, type Pod } from "./pod.ts";
import type { PodStatus } from "./pod-status.ts";

export interface StatusWriter {
  /** `finished`: no process of the pod is left, and none will be. */
  set(pod: Pod, status: PodStatus, finished: boolean): void;
  /** Ends all writes. */
  stop(): void;
}

export interface StatusWriterOptions {
  readonly api: NodeApi;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called after a write, with the resulting pod. */
  written(pod: Pod): void;
}

const RETRY_MS = 1_000;

interface Wanted {
  readonly pod: Pod;
  readonly status: PodStatus;
  readonly finished: boolean;
}

export function statusWriter({ api, clock, logger, written }: StatusWriterOptions): StatusWriter {
  const bell = doorbell();
  let wanted: Wanted | undefined;
  let storedText = "";
  let stopped = false;

  async function write({ pod, status, finished }: Wanted): Promise<void> {
    let current: Pod | undefined = pod;
    const text = JSON.stringify(status);
    if (text !== storedText) {
      current = await api.writeStatus(pod, status);
      storedText = text;
      if (current) written(current);
    }
    if (finished && current && isTerminal(current.phase) && (current.deleting || pod.deleting))
      await api.removePod(pod);
  }

  async function run(): Promise<void> {
    for (;;) {
      await bell.wait();
      while (wanted && !stopped) {
        const next = wanted;
        try {
          await write(next);
          if (wanted === next) wanted = undefined;
        } catch (error) {
          logger.warn({ error: describeError(error) }, "pod status not written, trying again");
          await clock.sleep(RETRY_MS);
        }
      }
      if (stopped) return;
    }
  }

  void run();
  return {
    set(pod, status, finished) {
      wanted = { pod, status, finished };
      bell.ring();
    },
    stop() {
      stopped = true;
      bell.ring();
    },
  };
}

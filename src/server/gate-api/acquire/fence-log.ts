import { aboutPod } from "../../../lease/log-fields.ts";
import type { PodView } from "../../../lease/pod.ts";
import { LruMap } from "../../../shared/lru-map.ts";
import type { GateApiOptions } from "../options.ts";

const REMEMBERED_FENCES = 10_000;

/** One line for each fence that a gate reports, however often it asks. */
export interface FenceLog {
  fenced(pod: PodView, token: number): void;
}

export function createFenceLog({ logger }: Pick<GateApiOptions, "logger">): FenceLog {
  const told = new LruMap<string, true>(REMEMBERED_FENCES);
  return {
    fenced(pod, token) {
      const fence = `${pod.uid} ${token}`;
      if (told.get(fence)) return;
      told.set(fence, true);
      logger.info(
        { ...aboutPod(pod), token, reason: "Fenced" },
        "the pod's gate says that its keeper fenced it",
      );
    },
  };
}

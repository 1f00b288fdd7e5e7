/** The current targets of faults. */
import { podsOf } from "../../src/lease/hold.ts";
import type { Watch, WatchedContainer, WatchedPod } from "./watch.ts";

export interface Target {
  pod: WatchedPod;
  container: WatchedContainer;
}

export interface Targets {
  /** Holders' pods, of all kleases or of some. */
  holders(isOf?: (lease: string) => boolean): WatchedPod[];
  replicas(): Target[];
  /** Empty while no arbiter is elected. */
  arbiter(): Target[];
}

export function createTargets(watch: Watch): Targets {
  const replicas = () => running(watch.replicas.store.list(), "konductor");
  return {
    holders(isOf = () => true) {
      const names = watch.leases.store
        .list()
        .flatMap(({ name, status }) =>
          status.hold && isOf(name) ? podsOf(status.hold).map((pod) => pod.name) : [],
        );
      return watch.pods.store.list().filter(({ name }) => names.includes(name));
    },
    replicas,
    arbiter: () => replicas().filter(({ pod }) => pod.name === watch.arbiter()),
  };
}

/** Those of `pods` in which `container` runs, in a fixed order. */
export function running(pods: readonly WatchedPod[], container: string): Target[] {
  return pods
    .flatMap((pod) => {
      const found = pod.containers.find((each) => each.name === container && each.state === "running");
      return found && !pod.isEnding ? [{ pod, container: found }] : [];
    })
    .toSorted((a, b) => (a.pod.name < b.pod.name ? -1 : 1));
}

/** The item that `pick`, in [0, 1), chooses. */
export function one<T>(items: readonly T[], pick: number): T | undefined {
  return items[Math.floor(pick * items.length)];
}

/** Events of those who hold the klease by a lease client. */
import { LEASES } from "../../../src/kube/resources.ts";
import { defined } from "../../../src/shared/json.ts";
import { breakFor } from "../broken.ts";
import type { World } from "../world.ts";
import { type Event, holdOf, type Kind, pick } from "./event.ts";
import { cut, trouble, troubleOf } from "./trouble.ts";

/** A worker that is not over. */
const workerOf = ({ workers }: World, { who }: Event) =>
  pick(
    workers.filter(({ worker }) => worker.state !== "over"),
    who,
  );

export const WORKERS: Record<string, Kind> = {
  killWorker: {
    weight: 2,
    act(world, event) {
      const worker = workerOf(world, event)?.worker;
      if (!worker) return;
      const { name, by } = worker.wish;
      const holds = holdOf(world);
      // A renewal that is on its way may set the klease's ttl.
      const ttlMs = holds?.claim === name ? Math.max(holds.hold.ttlMs, holds.leaseTtlMs) : undefined;
      const { mayRunForMs } = worker;
      world.note({
        what: "dies",
        claim: name,
        mayRunForMs,
        ...defined({ ttlMs }),
        mustConfirm: by !== "kubectl",
      });
      worker.kill();
    },
  },
  /** Restarts a killed worker, which goes on with its request or hold. An applied request has a name of its own, and is not taken over. */
  takeOver: {
    weight: 2,
    act(world, event) {
      const { workers } = world;
      const last = (name: string) => workers.findLast(({ worker }) => worker.wish.name === name);
      const ended = workers.filter(
        ({ worker }) =>
          worker.isKilled && worker.wish.by !== "kubectl" && last(worker.wish.name)?.worker === worker,
      );
      const wish = pick(ended, event.who)?.worker.wish;
      if (wish)
        world.createWorker({ ...wish, by: "script", takesOver: true, timeoutMs: Number.POSITIVE_INFINITY });
    },
  },
  cutWorker: {
    weight: 3,
    act(world, event) {
      const line = workerOf(world, event)?.line;
      if (line) cut(world, line, event);
    },
  },
  troubleWorker: {
    weight: 3,
    act(world, event) {
      const line = workerOf(world, event)?.line;
      if (line) trouble(world, line, event, troubleOf(event));
    },
  },
  /** Starts the same command a second time. */
  twinWorker: {
    weight: 1,
    act(world, event) {
      const wish = workerOf(world, event)?.worker.wish;
      if (!wish || wish.by === "kubectl" || wish.holder !== undefined) return;
      world.note({ what: "namesake", who: wish.name });
      const name = `${wish.name}-again-${world.workers.length}`;
      world.createWorker({ ...wish, name, holder: wish.name, takesOver: false });
    },
  },
  setWorkerClock: {
    weight: 1,
    act(world, event) {
      const machine = workerOf(world, event)?.worker.process.machine;
      if (machine) machine.wallErrorMs = ((event.kind % 17) - 8) * 900_000;
    },
  },
  pauseWorker: {
    weight: 1,
    act(world, event) {
      const worker = workerOf(world, event)?.worker;
      if (worker?.state !== "waits") return;
      const { process } = worker;
      breakFor(world, event.what, event.ms, () => {
        process.pause();
        return () => process.resume();
      });
    },
  },
  /** Only in tales: the watch that would show the next grant hangs, for which the client has to make up. */
  hangGrant: {
    weight: 0,
    act(world, event) {
      const { store } = world.cluster;
      const found = workerOf(world, event);
      if (!found) return;
      let isArmed = true;
      store.onChange(({ resource }) => {
        if (!isArmed || resource !== LEASES || holdOf(world)?.claim !== found.worker.wish.name) return;
        isArmed = false;
        for (const watch of found.line.watches) if (watch.plural === LEASES.plural) watch.hang();
      });
    },
  },
};

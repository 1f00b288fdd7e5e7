/** Events of replicas and API servers. */
import type { CallFault, CallInfo, Line } from "../api/line.ts";
import { breakFor, breakInPart, strike } from "../broken.ts";
import type { Slot, World } from "../world.ts";
import { type Kind, leaderOf, pick, slotOf } from "./event.ts";
import { cut, trouble, troubleOf } from "./trouble.ts";

/** Calls without which some claimant cannot be seen, told to end, or scheduled. Others are served all the same. */
const FORBIDDABLE = [
  { verb: "get", plural: "pods" },
  { verb: "delete", plural: "pods" },
  { verb: "patch", plural: "pods" },
] as const;
const FORBIDDEN_FOR_MS = 150_000;
const LOST_FOR_MS = 300_000;
const WATCHED = ["pods", "leases", "leaserequests", "jobs", "nodes"];

/** Lines of replicas that cannot work for a long time. */
const ill = new WeakSet<Line>();

export const REPLICAS: Record<string, Kind> = {
  killReplica: { weight: 3, act: (world, event) => leaderOf(world, event)?.replica.process.kill() },
  endReplica: { weight: 1, act: (world, event) => slotOf(world, event)?.replica.end() },
  strikeReplica: {
    weight: 5,
    act(world, event) {
      const process = leaderOf(world, event)?.replica.process;
      const awaits = 1 + (event.ms % 400);
      if (event.kind % 3 > 0) process?.strikeAt(awaits, () => process.kill());
      else
        process?.strikeAt(awaits, () =>
          breakFor(world, event.what, event.ms, () => {
            process.pause();
            return () => process.resume();
          }),
        );
    },
  },
  pauseReplica: {
    weight: 3,
    act(world, event) {
      const process = leaderOf(world, event)?.replica.process;
      if (process && !process.isPaused)
        breakFor(world, event.what, event.ms, () => {
          process.pause();
          return () => process.resume();
        });
    },
  },
  cutReplicaFromApi: {
    weight: 4,
    act(world, event) {
      const line = leaderOf(world, event)?.line;
      if (line) cut(world, line, event);
    },
  },
  cutReplicaFromGates: {
    weight: 3,
    act(world, event) {
      const replica = slotOf(world, event)?.replica;
      if (replica)
        breakFor(world, event.what, event.ms, () => {
          replica.isCutFromGates = true;
          return () => {
            replica.isCutFromGates = false;
          };
        });
    },
  },
  stallWatch: {
    weight: 5,
    act(world, event) {
      const line = leaderOf(world, event)?.line;
      const plural = pick(WATCHED, event.kind >> 1) ?? "pods";
      if (line)
        breakFor(world, event.what, 2 * event.ms, () => {
          line.stalled.add(plural);
          return () => {
            line.stalled.delete(plural);
            line.heal();
          };
        });
    },
  },
  trouble: {
    weight: 8,
    act(world, event) {
      const slot = leaderOf(world, event);
      if (slot) trouble(world, slot.line, event, troubleOf(event));
    },
  },
  misleadReplica: {
    weight: 2,
    act(world, event) {
      const slot = leaderOf(world, event);
      if (slot) trouble(world, slot.line, event, { is: "misled" });
    },
  },
  /** Cuts one replica off for a long time while others can work. */
  loseReplica: {
    weight: 3,
    act(world, event) {
      const slot = leaderOf(world, event);
      if (!slot || slot.line.isCut) return;
      loseInPart(world, event.what, slot, ({ line }) => {
        line.isCut = true;
        return () => {
          line.isCut = false;
          line.heal();
        };
      });
    },
  },
  /** Lists and watches of one resource fail for one replica, or get no answer, for a long time while others can work. */
  deafenReplica: {
    weight: 2,
    act(world, event) {
      const slot = leaderOf(world, event);
      const plural = pick(WATCHED, event.kind >> 1);
      const fault: CallFault =
        event.who % 2 === 0 ? { is: "refused", status: 503 } : { is: "unanswered", tookEffect: false };
      if (!slot) return;
      loseInPart(world, event.what, slot, ({ line }) => {
        const meet = ({ verb, resource }: CallInfo) =>
          resource.plural === plural && (verb === "list" || verb === "watch") ? fault : undefined;
        line.troubles.add(meet);
        for (const watch of [...line.watches]) if (watch.plural === plural) watch.hang();
        return () => line.troubles.delete(meet);
      });
    },
  },
  /** Kills the arbiter, and leaves lists unanswered for a while. */
  loseLists: {
    weight: 1,
    act(world, event) {
      const lines = world.slots.map(({ line }) => line);
      breakFor(world, event.what, 9_000 + event.ms / 10, () => {
        const lose = ({ verb }: CallInfo): CallFault | undefined =>
          verb === "list" ? { is: "unanswered", tookEffect: false } : undefined;
        for (const line of lines) line.troubles.add(lose);
        leaderOf(world, event)?.replica.process.kill();
        return () => {
          for (const line of lines) line.troubles.delete(lose);
        };
      });
    },
  },
  /** Forbids one kind of call to all of konductor for a long time, as a policy or a webhook may. */
  forbid: {
    weight: 2,
    act: (world, event) => forbid(world, event.what, pick(FORBIDDABLE, event.kind) ?? FORBIDDABLE[0]),
  },
  /** Only in tales: the request of a claimant that has had its hold cannot be replaced, although the claimant could use the klease. */
  forbidDeletions: {
    weight: 0,
    act: (world, event) => forbid(world, event.what, { verb: "delete", plural: "leaserequests" }),
  },
  /** Only in tales: a Job can neither be suspended nor resumed. */
  forbidSuspensions: {
    weight: 0,
    act: (world, event) => forbid(world, event.what, { verb: "patch", plural: "jobs" }),
  },
  /** The connection of a watch stays open, but nothing more is heard on it. */
  hangWatch: {
    weight: 3,
    act(world, event) {
      const line = leaderOf(world, event)?.line;
      const plural = pick(WATCHED, event.kind >> 1);
      const watches = [...(line?.watches ?? [])].filter((watch) => watch.plural === plural);
      if (watches.length === 0) return;
      strike(world, event.what);
      for (const watch of watches) watch.hang();
    },
  },
  outage: {
    weight: 2,
    act(world, event) {
      const lines = [...world.slots, ...world.workers].map(({ line }) => line);
      breakFor(world, event.what, event.ms, () => {
        for (const line of lines) line.isCut = true;
        return () => {
          for (const line of lines) line.isCut = false;
          for (const line of lines) line.heal();
        };
      });
    },
  },
  lagServer: {
    weight: 3,
    act(world, event) {
      const server = pick(world.cluster.servers, event.who);
      if (server)
        breakFor(world, event.what, event.ms, () => {
          server.lagMs = event.ms / 2;
          return () => {
            server.lagMs = 0;
            for (const pump of [...server.pumps]) pump();
          };
        });
    },
  },
  compact: {
    weight: 2,
    act({ cluster }) {
      for (const server of cluster.servers) server.oldestVersion = cluster.store.version();
    },
  },
  setReplicaClock: {
    weight: 3,
    act(world, event) {
      const machine = slotOf(world, event)?.machine;
      if (machine) machine.wallErrorMs = ((event.kind % 17) - 8) * 900_000;
    },
  },
};

/** Breaks one replica for a long time, unless it is the only one that can work. */
function loseInPart(world: World, name: string, slot: Slot, begin: (slot: Slot) => () => void): void {
  const isAble = ({ replica, line }: Slot) => replica.isReady && !line.isCut && !ill.has(line);
  if (!world.slots.some((other) => other !== slot && isAble(other))) return;
  const { line } = slot;
  breakInPart(world, name, LOST_FOR_MS, () => {
    const mend = begin(slot);
    ill.add(line);
    return () => {
      ill.delete(line);
      mend();
    };
  });
}

function forbid(world: World, name: string, { verb, plural }: { verb: string; plural: string }): void {
  const meet = (call: CallInfo): CallFault | undefined =>
    call.verb === verb && call.resource.plural === plural ? { is: "refused", status: 403 } : undefined;
  breakInPart(world, name, FORBIDDEN_FOR_MS, () => {
    const lines = world.slots.map(({ line }) => line);
    for (const line of lines) line.troubles.add(meet);
    return () => {
      for (const line of lines) line.troubles.delete(meet);
    };
  });
}

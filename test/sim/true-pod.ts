import type { Container, PodWish } from "./pod-object.ts";
import type { Machine, Process } from "./process.ts";
import type { Way } from "./service.ts";

export interface Node {
  name: string;
  machine: Machine;
  /** cut: no packet leaves the node, and its kubelet works on. dead: nothing runs on the node any more. */
  state: "up" | "cut" | "dead";
}

/** A pod as it truly is. */
export interface TruePod {
  readonly name: string;
  readonly uid: string;
  readonly claim: string;
  readonly wish: PodWish;
  readonly node: Node;
  readonly way: Way;
  readonly isOver: boolean;
  readonly isEnding: boolean;
  readonly main: Container["state"];
  readonly keeper: Process | undefined;
  readonly gate: Process | undefined;
  /** Since when its gate runs, if it does. */
  readonly waitsSinceMs: number | undefined;
  /** Main has run. */
  readonly hasRun: boolean;
  /** Called when its object has changed or gone, or its node is connected again. */
  look(): void;
  /** Its kubelet ends it by itself, as one with `activeDeadlineSeconds`. */
  endAtDeadline(): void;
  crashKeeper(): void;
  /** Restarts the keeper for a new image while main goes on. */
  patchKeeper(): void;
  loseSandbox(): void;
  killGate(): void;
  /** Ends everything of the pod without anybody's notice. */
  die(): void;
}

import { test } from "vitest";
import type { KubeClient } from "../../../src/kube/api.ts";
import { record, text } from "../../../src/shared/json.ts";

export interface Stage {
  client: KubeClient;
  namespace: string;
  /** The name of a node without a kubelet. */
  node: string;
  /** A projected token of this pod, for our audience. */
  tokenOf(pod: { namespace: string; name: string; uid: string }): Promise<string>;
  sleep(ms: number): Promise<void>;
}

/** Runs a test on a stage, while time passes. */
export type Play = (act: (stage: Stage) => Promise<void>) => Promise<void>;
export type Check = (what: string, act: (stage: Stage) => Promise<void>) => void;

export const checkBy =
  (play: Play): Check =>
  (what, act) =>
    test(what, () => play(act));

export { CONFIG_MAPS } from "../../../src/kube/resources.ts";

type Json = Record<string, unknown>;
export const metadataOf = (object: unknown): Json => record(record(object)["metadata"]);
export const versionOf = (object: unknown) => text(metadataOf(object)["resourceVersion"]) ?? "";
export const uidOf = (object: unknown) => text(metadataOf(object)["uid"]) ?? "";
export const code = (expected: string) => ({ code: expected });

export async function until({ sleep }: Stage, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; !(await holds()); tries++) {
    if (tries > 600) throw new Error("waited for 30 s in vain");
    await sleep(50);
  }
}

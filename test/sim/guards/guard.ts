import type { DrawOptions } from "../story.ts";
import type { Switch } from "./switch.ts";

/** A guard, with the kind of stories in which its rule soon breaks without it. */
export interface Guard extends DrawOptions {
  /** The rule that breaks without the guard. */
  rule: string;
  off: Switch;
}

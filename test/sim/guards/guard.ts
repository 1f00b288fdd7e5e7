import type { DrawOptions } from "../story.ts";
import type { Switch } from "./switch.ts";

/** In stories of this kind a rule breaks soon. */
export interface Guard extends DrawOptions {
  /** The rule that breaks without it. */
  rule: string;
  off: Switch;
}

/**
 * The behaviour of an API server on which konductor relies, as one suite. It runs against the server in memory (test/unit/sim) and against
 * kube-apiserver (test/integration), through the project's own client, with the same expectations.
 */
import { kinds } from "./kinds.ts";
import { reads } from "./reads.ts";
import { checkBy, type Play } from "./stage.ts";
import { writes } from "./writes.ts";

export function conformance(play: Play): void {
  const check = checkBy(play);
  writes(check);
  reads(check);
  kinds(check);
}

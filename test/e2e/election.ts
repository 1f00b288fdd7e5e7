/** Which replica is the arbiter. */
import { ELECTION_LEASES } from "../../src/kube/resources.ts";
import { record, text } from "../../src/shared/json.ts";
import { ELECTION_LEASE, SYSTEM_NAMESPACE } from "../../src/shared/names.ts";
import { waitFor } from "../cluster/wait.ts";
import type { Environment } from "./environment.ts";

/** The elected replica's identity. */
export async function readElected({ client }: Pick<Environment, "client">): Promise<string> {
  const ref = { namespace: SYSTEM_NAMESPACE, name: ELECTION_LEASE };
  const identity = text(record(record(await client.get(ELECTION_LEASES, ref))["spec"])["holderIdentity"]);
  if (!identity) throw new Error("nobody is elected");
  return identity;
}

/** How many terms of an arbiter have begun. A replica that gets too little CPU may lose its term, and be elected once more. */
export async function countTerms({ konductor }: Pick<Environment, "konductor">): Promise<number> {
  return (await konductor.logs()).split('"msg":"arbitrating"').length - 1;
}

/** Pauses the arbiter until another replica is elected, then resumes it. */
export async function overtakeArbiter(environment: Environment): Promise<void> {
  const paused = await readElected(environment);
  const goOn = await environment.konductor.pauseArbiter();
  try {
    await waitFor({
      what: "another arbiter to be elected",
      withinMs: 30_000,
      holds: async () => (await readElected(environment)) !== paused,
    });
  } finally {
    await goOn();
  }
}

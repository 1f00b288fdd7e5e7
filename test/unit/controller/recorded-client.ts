import type { KubeClient } from "../../../src/kube/api.ts";
import type { Resource } from "../../../src/kube/resources.ts";

/** One call: `get leases`, and what went with it. */
export interface Call {
  what: string;
  /** The reference, or the object. */
  sent: unknown;
  /** The last argument but for a parser: preconditions of a deletion. */
  options: unknown;
}

/** A client that notes its calls and is answered by `answer`, which may throw; a list by an array. */
export function recordedClient(answer: (call: Call) => unknown): { client: KubeClient; calls: Call[] } {
  const calls: Call[] = [];
  const client: KubeClient = new Proxy(Object.create(null), {
    get:
      (_, verb: string) =>
      async ({ plural }: Resource, sent: unknown, third: unknown) => {
        const isParser = typeof third === "function";
        const call = { what: `${verb} ${plural}`, sent, options: isParser ? undefined : third };
        calls.push(call);
        const found = answer(call);
        if (!isParser) return found;
        return Array.isArray(found) ? { items: found.map((item) => third(item)) } : third(found);
      },
  });
  return { client, calls };
}

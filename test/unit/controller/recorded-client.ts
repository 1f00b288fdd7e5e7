import type { KubeClient } from "../../../src/kube/api.ts";
import type { Resource } from "../../../src/kube/resources.ts";

/** A call such as `get leases`, with its arguments. */
export interface Call {
  what: string;
  /** The object, or the reference to it. */
  sent: unknown;
  /** The last argument that is not a parser, such as the preconditions of a deletion. */
  options: unknown;
}

/** A client that records its calls and gets its answers from `answer`, which may throw. An array answers a list. */
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

/** A KubeClient whose answers a test sets. */
import type { KubeClient, WatchEvent, WatchOptions } from "../../../src/kube/api.ts";
import { KonductorError } from "../../../src/shared/errors.ts";

/** A watch that a client has opened. */
export interface ScriptedWatch {
  options: WatchOptions;
  send(event: WatchEvent): void;
  /** Ends the watch as the server does, or makes it fail with `error`. */
  end(error?: unknown): void;
}

/** A client with these calls. Any other call fails. */
export function scriptedClient(calls: Partial<KubeClient>): KubeClient {
  const unexpected = (name: string) => async () => {
    throw new KonductorError("Internal", `nobody expected ${name}`);
  };
  const names = ["get", "list", "create", "replace", "replaceStatus", "patch", "delete", "raw", "close"];
  const others = Object.fromEntries(names.map((name) => [name, unexpected(name)]));
  return { watch: () => failing(), ...others, ...calls } as KubeClient;
}

// biome-ignore lint/correctness/useYield: it only fails
async function* failing(): AsyncGenerator<WatchEvent> {
  throw new KonductorError("Internal", "nobody expected a watch");
}

/** Watches to which a test sends events, in the order in which they were opened. */
export function scriptedWatches(): { watches: ScriptedWatch[]; watch: KubeClient["watch"] } {
  const watches: ScriptedWatch[] = [];
  return {
    watches,
    async *watch(_, options, signal) {
      const events: WatchEvent[] = [];
      let ended: { error?: unknown } | undefined;
      let wake = () => {};
      signal.addEventListener("abort", () => wake());
      watches.push({
        options,
        send(event) {
          events.push(event);
          wake();
        },
        end(error) {
          ended = { error };
          wake();
        },
      });
      for (;;) {
        signal.throwIfAborted();
        const next = events.shift();
        if (next) yield next;
        else if (ended?.error) throw ended.error;
        else if (ended) return;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  };
}

/** A KubeClient whose answers a test gives. */
import type { KubeClient, WatchEvent, WatchOptions } from "../../../src/kube/api.ts";
import { KonductorError } from "../../../src/shared/errors.ts";

/** One watch that a client has begun. */
export interface ScriptedWatch {
  options: WatchOptions;
  send(event: WatchEvent): void;
  /** The server ends it; with an error it fails. */
  end(error?: unknown): void;
}

/** Calls that a test does not expect fail. */
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

/** Watches that a test sends events to, in the order in which they were begun. */
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

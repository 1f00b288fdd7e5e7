/** The page's calls to its own server. */
import { record, text } from "../../../shared/json.ts";
import { PATHS, type ReleaseOrder, type ReleasePreview, type ReleaseResult } from "../wire.ts";

/** A hold that the page asks about. */
export interface HoldAddress {
  namespace: string;
  lease: string;
  token: number;
}

export interface Api {
  /** The answer to the stream's request, whatever its status. */
  stream(signal: AbortSignal): Promise<Response>;
  /** The same for the story of a hold. */
  story(hold: HoldAddress, signal: AbortSignal): Promise<Response>;
  preview(hold: HoldAddress, signal: AbortSignal): Promise<ReleasePreview>;
  /** Whoever aborts it, or hears that nobody has answered, does not know whether the order was taken; it is not sent later. */
  release(order: ReleaseOrder, signal: AbortSignal): Promise<ReleaseResult>;
}

/** What an answer with status 401 means. */
export const SESSION_OVER = "This page's session is over. Open the link that koncli dashboard prints.";
/** A browser may keep an order back until a connection is free. After this time nobody expects it any more. */
const ORDER_WITHIN_MS = 30_000;

/** Calls with `token`. Those that fail throw an Error whose message is a sentence for people. */
export function createApi(token: string): Api {
  const headers = { authorization: `Bearer ${token}` };

  async function ask<T>(path: string, init: RequestInit): Promise<T> {
    const response = await fetch(path, { ...init, headers: { ...headers, ...init.headers } }).catch(
      (error: unknown) => {
        if (init.signal?.aborted) throw error;
        throw new Error("koncli dashboard does not answer. Is it still running?");
      },
    );
    if (!response.ok) throw new Error(await refusalOf(response));
    // Both sides come from one build, so that the answer has its type.
    return (await response.json()) as T;
  }

  const open = (path: string, signal: AbortSignal) => fetch(path, { headers, signal, cache: "no-store" });
  const query = ({ namespace, lease, token: hold }: HoldAddress) =>
    new URLSearchParams({ namespace, lease, token: String(hold) });

  return {
    stream: (signal) => open(PATHS.stream, signal),
    story: (hold, signal) => open(`${PATHS.story}?${query(hold)}`, signal),
    preview: (hold, signal) => ask(`${PATHS.preview}?${query(hold)}`, { signal }),
    async release(order, signal) {
      const late = AbortSignal.timeout(ORDER_WITHIN_MS);
      try {
        return await ask(PATHS.release, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(order),
          signal: AbortSignal.any([signal, late]),
        });
      } catch (error) {
        if (signal.aborted || !late.aborted) throw error;
        throw new Error("No answer has come in 30 s. See whether the hold is over before you ask again.");
      }
    },
  };
}

/** Why a call was refused, in a sentence. */
export async function refusalOf(response: {
  readonly status: number;
  json(): Promise<unknown>;
}): Promise<string> {
  if (response.status === 401) return SESSION_OVER;
  const { message } = record(await response.json().catch(() => undefined));
  return text(message) ?? `koncli dashboard answered with HTTP status ${response.status}.`;
}

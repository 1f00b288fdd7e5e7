/** The page's calls to its own server. */
import { PATHS, type Refusal, type ReleaseOrder, type ReleasePreview, type ReleaseResult } from "../wire.ts";

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
  release(order: ReleaseOrder): Promise<ReleaseResult>;
}

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
    return response.json();
  }

  const open = (path: string, signal: AbortSignal) => fetch(path, { headers, signal, cache: "no-store" });
  const query = ({ namespace, lease, token: hold }: HoldAddress) =>
    new URLSearchParams({ namespace, lease, token: String(hold) });

  return {
    stream: (signal) => open(PATHS.stream, signal),
    story: (hold, signal) => open(`${PATHS.story}?${query(hold)}`, signal),
    preview: (hold, signal) => ask(`${PATHS.preview}?${query(hold)}`, { signal }),
    release: (order) =>
      ask(PATHS.release, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(order),
      }),
  };
}

/** Why a call was refused, in a sentence. */
export async function refusalOf(response: Response): Promise<string> {
  if (response.status === 401)
    return "This page's session is over. Open the link that koncli dashboard prints.";
  const { message }: Partial<Refusal> = await response.json().catch(() => ({}));
  return message ?? `koncli dashboard answered with HTTP status ${response.status}.`;
}

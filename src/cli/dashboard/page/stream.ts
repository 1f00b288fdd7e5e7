/** A stream of messages: followed until it is no longer wanted, across breaks. */
import { refusalOf } from "./api.ts";

/** The parts of a Response that are needed. */
export interface StreamAnswer {
  readonly ok: boolean;
  readonly status: number;
  readonly body: ReadableStream<Uint8Array> | null;
  /** Of a refusal. */
  json(): Promise<unknown>;
}

export type StreamState =
  | { kind: "live" }
  /** Tried again in `retryMs`. `refusal`: why the server would not have it, in a sentence; empty: it has not said so. */
  | { kind: "broken"; retryMs: number; refusal: string }
  /** Not tried again: the session is over. */
  | { kind: "over" };

export interface StreamOptions<M> {
  open(signal: AbortSignal): Promise<StreamAnswer>;
  /** Those of one line; none if the server only says that it is there. */
  onMessages(messages: readonly M[]): void;
  onState(state: StreamState): void;
  /** Ends it. */
  signal: AbortSignal;
}

/** The server says something every 10 s. */
const SILENCE_MS = 40_000;
const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 15_000;
/** In characters; 1,000 Leases with their histories take a hundredth of it. */
const LONGEST_LINE = 64 * 1024 * 1024;

/** Follows the stream until `signal`, or until the server says that the session is over. Never rejects. */
export async function followStream<M>(options: StreamOptions<M>): Promise<void> {
  const { signal, onState } = options;
  let retryMs = FIRST_RETRY_MS;
  while (!signal.aborted) {
    const { outcome, refusal = "" } = await readOnce(options);
    if (signal.aborted) return;
    if (outcome === "over") return onState({ kind: "over" });
    if (outcome === "ended") retryMs = FIRST_RETRY_MS;
    onState({ kind: "broken", retryMs, refusal });
    await pause(retryMs, signal);
    retryMs = Math.min(LAST_RETRY_MS, 2 * retryMs);
  }
}

/** "ended": it was live until it broke. "broken": there was nothing. */
async function readOnce<M>({
  open,
  onMessages,
  onState,
  signal,
}: StreamOptions<M>): Promise<{ outcome: "over" | "ended" | "broken"; refusal?: string }> {
  const silence = new AbortController();
  const end = () => silence.abort();
  signal.addEventListener("abort", end);
  let timer = setTimeout(end, SILENCE_MS);
  let isLive = false;
  try {
    const answer = await open(silence.signal);
    if (answer.status === 401) return { outcome: "over" };
    if (!answer.ok || !answer.body) return { outcome: "broken", refusal: await refusalOf(answer) };
    for await (const line of linesOf(answer.body)) {
      clearTimeout(timer);
      timer = setTimeout(end, SILENCE_MS);
      // Both sides come from one build, so that the line has its type.
      const messages: M[] = JSON.parse(line);
      if (!isLive) onState({ kind: "live" });
      isLive = true;
      onMessages(messages);
    }
  } catch {
    // It broke; who reads on is told by what is returned.
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
    silence.abort();
  }
  return { outcome: isLive ? "ended" : "broken" };
}

/** The lines of a stream of UTF-8. A last one without its end is left out. Throws at a line that is too long. */
export async function* linesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let parts: string[] = [];
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const [first = "", ...others] = decoder.decode(value, { stream: true }).split("\n");
      parts.push(first);
      length += first.length;
      if (length > LONGEST_LINE) throw new Error("the line is too long");
      for (const next of others) {
        const line = parts.join("");
        parts = [next];
        length = next.length;
        if (line !== "") yield line;
      }
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener("abort", end);
  });
}

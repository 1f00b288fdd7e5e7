/** A container's log in the CRI's format, so that kubectl's options can be answered: `TIME STREAM TAG TEXT`, one entry per line. */
import { createWriteStream, openSync } from "node:fs";
import { open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { StringDecoder } from "node:string_decoder";

export interface LogFile {
  readonly path: string;
  /** Writes everything that comes from a stream of the container. */
  capture(stream: Readable, name: "stdout" | "stderr"): void;
  /** Ends the log. Resolves once everything is in the file. */
  close(): Promise<void>;
  readonly closed: boolean;
  /** Calls `callback` whenever there is more, and at the close, until the returned function is called. */
  onChange(callback: () => void): () => void;
}

export function openLogFile(path: string): LogFile {
  const file = createWriteStream(path, { fd: openSync(path, "a") });
  const listeners = new Set<() => void>();
  const finishers: (() => void)[] = [];
  const changed = () => {
    for (const listener of [...listeners]) listener();
  };
  let closed = false;
  const write = (name: string, lines: readonly string[]) => {
    if (closed || lines.length === 0) return;
    const at = new Date().toISOString();
    file.write(lines.map((line) => `${at} ${name} F ${line}\n`).join(""), changed);
  };
  return {
    path,
    capture(stream, name) {
      const decoder = new StringDecoder("utf8");
      let rest = "";
      stream.on("data", (chunk: Buffer) => {
        const lines = (rest + decoder.write(chunk)).split("\n");
        rest = lines.pop() ?? "";
        write(name, lines);
      });
      stream.on("error", () => {});
      finishers.push(() => write(name, rest === "" ? [] : [rest]));
    },
    async close() {
      for (const finish of finishers) finish();
      closed = true;
      await new Promise<void>((resolve) => file.end(resolve));
      changed();
    },
    get closed() {
      return closed;
    },
    onChange(callback) {
      listeners.add(callback);
      return () => listeners.delete(callback);
    },
  };
}

export interface LogOptions {
  readonly follow: boolean;
  readonly timestamps: boolean;
  /** Undefined: all lines. */
  readonly tailLines: number | undefined;
  /** Earlier lines are left out. */
  readonly sinceMs: number | undefined;
}

/** The log's text in pieces. With `follow`, continues until the container has ended or `signal` aborts. */
export async function* readLog(
  log: LogFile,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<string> {
  let offset = 0;
  let first = true;
  for (;;) {
    const wasClosed = log.closed;
    const more = changeOf(log, signal);
    const { text, bytes } = await readFrom(log.path, offset);
    offset += bytes;
    const lines = text
      .split("\n")
      .slice(0, -1)
      .flatMap((line) => shown(line, options));
    const wanted =
      first && options.tailLines !== undefined
        ? lines.slice(Math.max(0, lines.length - options.tailLines))
        : lines;
    first = false;
    if (wanted.length > 0) yield wanted.map((line) => `${line}\n`).join("");
    if (signal.aborted || !options.follow || wasClosed) return more.forget();
    if (bytes === 0) await more.seen;
    more.forget();
  }
}

/** Resolves `seen` at the next change of the log, or when `signal` aborts. */
function changeOf(log: LogFile, signal: AbortSignal): { seen: Promise<void>; forget(): void } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const stopListening = log.onChange(resolve);
  const aborted = () => resolve();
  signal.addEventListener("abort", aborted);
  return {
    seen: promise,
    forget() {
      stopListening();
      signal.removeEventListener("abort", aborted);
    },
  };
}

function shown(line: string, { timestamps, sinceMs }: LogOptions): string[] {
  const [, at = "", text = ""] = /^(\S+) \S+ \S+ (.*)$/s.exec(line) ?? [];
  if (sinceMs !== undefined && Date.parse(at) < sinceMs) return [];
  return [timestamps ? `${at} ${text}` : text];
}

/** Whole lines from `offset` on. */
async function readFrom(path: string, offset: number): Promise<{ text: string; bytes: number }> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const buffer = Buffer.alloc(Math.max(0, size - offset));
    const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
    const bytes = buffer.subarray(0, bytesRead).lastIndexOf("\n") + 1;
    return { text: buffer.toString("utf8", 0, bytes), bytes };
  } finally {
    await file.close();
  }
}

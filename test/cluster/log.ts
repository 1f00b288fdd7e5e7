/** The log of what a cluster does. */
export interface Log {
  /** One line that stays. */
  line(text: string): void;
  /** The current activity: only the latest status matters. */
  status(text: string): void;
}

const STATUS_EVERY_MS = 15_000;

/** The part of a stream that a log uses: `process.stderr` fits. */
export interface LogStream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** A log on a stream. On a terminal, a status rewrites one line; elsewhere, a status is written at most every 15 s. */
export function streamLog(stream: LogStream, nowMs: () => number = Date.now): Log {
  let statusAtMs = Number.NEGATIVE_INFINITY;
  let statusShown = false;
  const clear = () => (statusShown ? "\r\u001b[K" : "");
  return {
    line(text) {
      stream.write(`${clear()}${text}\n`);
      statusShown = false;
    },
    status(text) {
      if (stream.isTTY) {
        stream.write(`\r\u001b[K${text}`);
        statusShown = true;
      } else if (nowMs() - statusAtMs >= STATUS_EVERY_MS) {
        stream.write(`${text}\n`);
        statusAtMs = nowMs();
      }
    },
  };
}

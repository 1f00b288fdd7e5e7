/** Where the cluster says what it does. */
export interface Log {
  /** One line that stays. */
  line(text: string): void;
  /** What is going on right now: the latest one is all that counts. */
  status(text: string): void;
}

const STATUS_EVERY_MS = 15_000;

/** What a log needs of a stream: `process.stderr` fits. */
export interface LogStream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/** A log on a stream. On a terminal a status rewrites one line; elsewhere one is written at most every 15 s. */
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

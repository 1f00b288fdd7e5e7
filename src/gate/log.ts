/** Plain lines for people who read `kubectl logs`. */
export interface Log {
  info(message: string): void;
}

/** Control characters: a message may quote what a server sent, and must stay one line. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u001f\u007f]+/g;

/** Writes one line per message, with an ISO timestamp in front. */
export function lineLog(write: (line: string) => void, nowMs: () => number): Log {
  return {
    info(message) {
      write(`${new Date(nowMs()).toISOString()} ${message.replace(CONTROL, " ")}\n`);
    },
  };
}

/** Logs repeated trouble at once, then at most every `everyMs`; `over` logs once that it has passed. */
export interface TroubleLog {
  trouble(message: string): void;
  over(message: string): void;
}

export function troubleLog(log: Log, monotonicMs: () => number, everyMs: number): TroubleLog {
  let saidAtMs: number | undefined;
  return {
    trouble(message) {
      if (saidAtMs !== undefined && monotonicMs() - saidAtMs < everyMs) return;
      saidAtMs = monotonicMs();
      log.info(message);
    },
    over(message) {
      if (saidAtMs === undefined) return;
      saidAtMs = undefined;
      log.info(message);
    },
  };
}

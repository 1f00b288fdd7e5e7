import type { LineStream } from "../../../src/server/gate-api/acquire/line-stream.ts";

/** A stream that records its lines, and whether its end was to close the connection. Its end, its destruction and `hangUp` all close it. */
export function recordedStream() {
  const listeners: (() => void)[] = [];
  const lines: Record<string, unknown>[] = [];
  const closes: boolean[] = [];
  const hangUp = () => {
    for (const listener of listeners.splice(0)) listener();
  };
  const stream: LineStream = {
    send: (line) => void lines.push({ ...line }),
    end(line, { close = false } = {}) {
      lines.push({ ...line });
      closes.push(close);
      hangUp();
    },
    destroy: hangUp,
    onClose: (listener) => void listeners.push(listener),
  };
  return { stream, lines, closes, hangUp };
}

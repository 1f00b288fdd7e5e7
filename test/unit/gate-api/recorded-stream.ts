import type { LineStream } from "../../../src/webhook/gate-api/line-stream.ts";

/** A stream that keeps what was said, and is closed by its end, by its destruction or by `hangUp`. */
export function recordedStream() {
  const listeners: (() => void)[] = [];
  const lines: Record<string, unknown>[] = [];
  const hangUp = () => {
    for (const listener of listeners.splice(0)) listener();
  };
  const stream: LineStream = {
    send: (line) => void lines.push({ ...line }),
    end(line) {
      lines.push({ ...line });
      hangUp();
    },
    destroy: hangUp,
    onClose: (listener) => void listeners.push(listener),
  };
  return { stream, lines, hangUp };
}

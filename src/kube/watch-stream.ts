import { KonductorError } from "../shared/errors.ts";
import { integer, record, text } from "../shared/json.ts";
import type { WatchEvent } from "./api.ts";
import { statusError } from "./status-error.ts";

/** Above what etcd can store, with room for managed fields and the envelope. */
const LINE_LIMIT_BYTES = 16 << 20;

const NEWLINE = 0x0a;

/**
 * The events of a watch's body: one JSON document a line. `action` names the watch in errors. Throws the error that an ERROR
 * event carries, and Unreachable where the body ends in the middle of a line.
 */
export async function* watchEvents(
  action: string,
  body: AsyncIterable<Buffer>,
  limitBytes = LINE_LIMIT_BYTES,
): AsyncGenerator<WatchEvent> {
  for await (const line of lines(action, body, limitBytes)) {
    const { type, object } = parseLine(action, line);
    if (type === "ERROR") throw statusError(action, integer(record(object)["code"]) ?? 500, object);
    if (type === "ADDED" || type === "MODIFIED" || type === "DELETED" || type === "BOOKMARK")
      yield { type, object };
  }
}

function parseLine(action: string, line: string): { type: string | undefined; object: unknown } {
  try {
    const event = record(JSON.parse(line));
    return { type: text(event["type"]), object: event["object"] };
  } catch (cause) {
    throw new KonductorError("Unreachable", `cannot ${action}: an event is not JSON`, { cause });
  }
}

async function* lines(
  action: string,
  body: AsyncIterable<Buffer>,
  limitBytes: number,
): AsyncGenerator<string> {
  let parts: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      const line = Buffer.concat([...parts, chunk.subarray(start, end)]).toString("utf8");
      parts = [];
      size = 0;
      start = end + 1;
      if (line !== "") yield line;
    }
    parts.push(chunk.subarray(start));
    size += chunk.length - start;
    if (size > limitBytes) {
      throw new KonductorError("Internal", `cannot ${action}: an event is longer than ${limitBytes} bytes`);
    }
  }
  if (size > 0)
    throw new KonductorError("Unreachable", `cannot ${action}: the connection broke within an event`);
}

import { KonductorError } from "../../shared/errors.ts";

/** The most that is read of one answer, or of one line of a streamed one. */
export const MAX_ANSWER_BYTES = 64 * 1024;

const NEWLINE = 10;

/** The lines of a stream, empty ones left out. Throws Unreachable for a line longer than {@link MAX_ANSWER_BYTES}. */
export async function* boundedLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(NEWLINE); end >= 0; end = rest.indexOf(NEWLINE)) {
      if (end > MAX_ANSWER_BYTES) throw tooLong();
      const line = rest.toString("utf8", 0, end).trim();
      rest = rest.subarray(end + 1);
      if (line !== "") yield line;
    }
    if (rest.length > MAX_ANSWER_BYTES) throw tooLong();
  }
  const last = rest.toString("utf8").trim();
  if (last !== "") yield last;
}

/** A whole body as text. Throws Unreachable when it is longer than {@link MAX_ANSWER_BYTES}. */
export async function boundedText(chunks: AsyncIterable<Buffer>): Promise<string> {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) throw tooLong();
    parts.push(chunk);
  }
  return Buffer.concat(parts).toString("utf8");
}

function tooLong(): KonductorError {
  return new KonductorError(
    "Unreachable",
    `the answer is longer than ${MAX_ANSWER_BYTES} bytes: it is not konductor's`,
  );
}

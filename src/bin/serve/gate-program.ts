import { readFile } from "node:fs/promises";
import { brotliDecompressSync } from "node:zlib";
import { KonductorError } from "../../shared/errors.ts";

/** Linux takes 128 KiB for one variable, and every labelled pod bears two of these. */
const LONGEST = 64 * 1024;

/**
 * The program of injected containers in `path`, as their environment holds it: base64 of what brotli has compressed.
 * @throws KonductorError `BadRequest` if the file holds something else, or more than 64 KiB.
 */
export async function readGateProgram(path: string): Promise<string> {
  const text = (await readFile(path, "utf8")).trim();
  if (text.length > LONGEST || !isProgram(text))
    throw new KonductorError(
      "BadRequest",
      `--gate-program: ${path} holds no program; it must be base64 of dist/gate.js compressed by brotli, at most ${LONGEST} characters`,
    );
  return text;
}

function isProgram(text: string): boolean {
  // Buffer.from passes over what is not base64.
  if (!/^[A-Za-z\d+/]+={0,2}$/.test(text)) return false;
  try {
    return brotliDecompressSync(Buffer.from(text, "base64"), { maxOutputLength: 2 ** 24 }).length > 0;
  } catch {
    return false;
  }
}

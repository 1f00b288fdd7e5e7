import { createHash, randomUUID } from "node:crypto";
import { createWriteStream } from "node:fs";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { Transform } from "node:stream";
import { pipeline } from "node:stream/promises";

/** How long the host may take to send the small checksum file; also limits how long an unreachable host delays the start. */
const CHECKSUM_TIMEOUT_MS = 3_000;

export interface Download {
  readonly url: string;
  readonly target: string;
}

/**
 * Downloads an executable and compares it with the SHA-256 published beside it (`<url>.sha256`).
 * The target appears complete and checked, or not at all: in every other case, rejects with what was expected and what came.
 */
export async function download({ url, target }: Download): Promise<void> {
  const expected = await publishedSha256(`${url}.sha256`);
  const response = await get(url);
  if (!response.body) throw new Error(`${url} answered with an empty body`);
  await mkdir(dirname(target), { recursive: true });
  const partial = `${target}.${randomUUID()}.partial`;
  try {
    const hash = createHash("sha256");
    const hashing = new Transform({
      transform(chunk: Uint8Array, _encoding, done) {
        hash.update(chunk);
        done(null, chunk);
      },
    });
    await pipeline(response.body, hashing, createWriteStream(partial, { mode: 0o755 }));
    const actual = hash.digest("hex");
    if (actual !== expected) {
      throw new Error(`${url} has SHA-256 ${actual}, but ${expected} is published: refused`);
    }
    await rename(partial, target);
  } finally {
    await rm(partial, { force: true });
  }
}

async function publishedSha256(url: string): Promise<string> {
  const response = await get(url, AbortSignal.timeout(CHECKSUM_TIMEOUT_MS));
  const sum = (await response.text()).trim().split(/\s/)[0] ?? "";
  if (!/^[0-9a-f]{64}$/.test(sum)) throw new Error(`${url} holds no SHA-256`);
  return sum;
}

async function get(url: string, signal: AbortSignal | null = null): Promise<Response> {
  const response = await fetch(url, { signal }).catch((error: unknown) => {
    throw new Error(`${url} cannot be reached`, { cause: error });
  });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return response;
}

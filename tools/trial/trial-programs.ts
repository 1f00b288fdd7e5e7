/** The programs that travel in the trial's manifest instead of an image. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliCompressSync, constants } from "node:zlib";
import { TRIAL_SUFFIX } from "../../src/shared/version.ts";
import { buildPrograms, type Program } from "../build.ts";

/** Both compressed by brotli. */
export interface TrialPrograms {
  /** konductor.js. */
  readonly server: Buffer;
  /** gate.js. */
  readonly gate: Buffer;
}

/** Builds konductor as it is below `root`, marked as a trial in its version. */
export async function buildTrialPrograms(root: string): Promise<TrialPrograms> {
  return { server: await buildCompressed(root, { name: "konductor" }), gate: await buildTrialGate(root) };
}

/** Every labelled pod bears the gate twice, so it is smaller than in an image. The server keeps its names for stack traces. */
export function buildTrialGate(root: string): Promise<Buffer> {
  return buildCompressed(root, { name: "gate", withoutPackages: true, isTiny: true });
}

async function buildCompressed(root: string, program: Program): Promise<Buffer> {
  const outDir = await mkdtemp(join(tmpdir(), "konductor-trial-"));
  try {
    const options = { root, outDir, programs: [program], versionSuffix: TRIAL_SUFFIX };
    const [path = ""] = await buildPrograms(options);
    return compressed(await readFile(path));
  } finally {
    await rm(outDir, { recursive: true, force: true });
  }
}

/** `bytes` as small as brotli makes them. */
export function compressed(bytes: Buffer): Buffer {
  return brotliCompressSync(bytes, {
    params: {
      [constants.BROTLI_PARAM_LGWIN]: constants.BROTLI_MAX_WINDOW_BITS,
      [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
    },
  });
}

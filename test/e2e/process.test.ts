import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { buildPrograms } from "../../tools/build.ts";
import { startProcessEnvironment } from "./process-environment.ts";
import { scenarioSuite } from "./suite.ts";

const { env, stderr: stream } = process;
const root = join(import.meta.dirname, "../..");

/** One build for all clusters. */
let programs: Promise<string> | undefined;
async function build(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "konductor-programs-"));
  await buildPrograms({ root, outDir: dir });
  return dir;
}
afterAll(async () => {
  if (programs) await rm(await programs, { recursive: true });
});

scenarioSuite({
  node: "process",
  env,
  width: 8,
  apart: 2,
  async start() {
    programs ??= build();
    return startProcessEnvironment({ env, stream, programsDir: await programs });
  },
});

/**
 * `npm run trial` writes dist/trial.yaml: konductor for any cluster that can pull a public image of Node.js. It is part of a release, and of
 * no commit: each line of src changes it.
 */
import { join } from "node:path";
import { describeError } from "../../src/shared/errors.ts";
import { writeTrial } from "./write-trial.ts";

const root = join(import.meta.dirname, "../..");

try {
  const out = join(root, "dist/trial.yaml");
  const { programs, bytes } = await writeTrial({ root, out });
  const { server, gate } = programs;
  process.stdout.write(
    `${out}: ${kb(bytes)}; compressed, the server has ${kb(server.length)} of the 1048.6 kB of a ConfigMap, the gate ${kb(gate.length)}\n`,
  );
} catch (error) {
  process.stderr.write(`${describeError(error)}\n`);
  process.exitCode = 1;
}

function kb(bytes: number): string {
  return `${(bytes / 1e3).toFixed(1)} kB`;
}

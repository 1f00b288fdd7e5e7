/**
 * `make bench`: the benchmarks that need no root, one after the other, since each needs the machine for itself. Exits with 1 if one failed.
 * usage: node test/bench/main.ts [NAME…]   default: all of them
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

/** Those that start a control plane come last. */
const BENCHES = ["gate-start", "koncli-start", "forecast", "neighbours", "certificates", "rollouts"];

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !BENCHES.includes(name));
if (unknown.length > 0) {
  process.stderr.write(`no such benchmark: ${unknown.join(", ")}; there are ${BENCHES.join(", ")}\n`);
  process.exit(64);
}
const results: string[] = [];
for (const name of wanted.length > 0 ? wanted : BENCHES) {
  process.stdout.write(`\n== ${name}\n`);
  const startedMs = performance.now();
  const child = spawn(process.execPath, [join(import.meta.dirname, `${name}.ts`)], { stdio: "inherit" });
  const [code, signal] = await once(child, "exit");
  const seconds = Math.round((performance.now() - startedMs) / 1_000);
  results.push(`${name.padEnd(14)} ${code === 0 ? "passed" : `failed (${signal ?? code})`} in ${seconds} s`);
  if (code !== 0) process.exitCode = 1;
}
process.stdout.write(`\n${results.join("\n")}\n`);

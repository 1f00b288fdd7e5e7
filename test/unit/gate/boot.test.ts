/** What GATE_BOOT makes of a program in the environment, as `node FILE` would. */
import { brotliCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { ENV, GATE_BOOT } from "../../../src/shared/names.ts";
import { startNode } from "./bundle.ts";

const boot = (source: string, ...args: string[]) =>
  startNode(["-e", GATE_BOOT, ...args], { [ENV.program]: brotliCompressSync(source).toString("base64") });

test("the program finds its arguments and Node's modules, and its traces name it", async () => {
  const child = boot(
    `#!/usr/bin/env node
    var require = process.getBuiltinModule;
    console.log(process.argv.slice(2).join(), require("node:fs").existsSync("/"));
    throw new Error("told");`,
    "gate",
    "--flag",
  );
  expect(await child.exit).toBe(1);
  expect(child.output()).toMatch(/^gate,--flag true\n/);
  expect(child.output()).toContain("gate.js:4");
});

test("it is the process itself: SIGTERM reaches its handler, and its exit code is the process's", async () => {
  const child = boot(
    `process.on("SIGTERM", () => process.exit(75)); process.kill(process.pid, "SIGTERM"); setInterval(() => {}, 1e6);`,
  );
  expect(await child.exit).toBe(75);
});

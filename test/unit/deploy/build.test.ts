import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { buildPrograms } from "../../../tools/build.ts";

const ROOT = join(import.meta.dirname, "../../..");
const GATE = { name: "gate", withoutPackages: true };
const KONDUCTOR = { name: "konductor" };

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "konductor-build-"));
  await symlink(join(ROOT, "node_modules"), join(root, "node_modules"));
  await symlink(join(ROOT, "src/shared"), await parentOf("src/shared"));
  await write("package.json", '{"version":"1.2.3","type":"module"}');
});
afterEach(() => rm(root, { recursive: true }));

async function parentOf(path: string): Promise<string> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  return join(root, path);
}
const write = async (path: string, text: string) => writeFile(await parentOf(path), text);
const build = (...programs: { name: string }[]) =>
  buildPrograms({ root, outDir: join(root, "dist"), programs });

test("a bundle runs alone and knows the version of package.json", async () => {
  const text = `import { pino } from "pino";
    import { VERSION_TEXT } from "../shared/version.ts";
    process.stdout.write(VERSION_TEXT + typeof pino);`;
  await write("src/bin/konductor.ts", text);
  const [path = ""] = await build(KONDUCTOR);
  await rm(join(root, "node_modules"));
  expect((await stat(path)).mode & 0o777).toBe(0o755);
  expect((await promisify(execFile)(process.execPath, [path])).stdout).toBe("1.2.3function");
});

test("a missing entry is named", async () => {
  await expect(build(KONDUCTOR, GATE)).rejects.toThrow("src/bin/konductor.ts, src/bin/gate.ts missing");
});

test("a gate that needs a package is refused, with the file that imports it", async () => {
  await write("src/bin/gate.ts", 'import "./detour.ts";');
  await write("src/bin/detour.ts", 'import { parse } from "yaml"; parse("");');
  await expect(build(GATE)).rejects.toThrow(
    /Node's own modules only, but .*src\/bin\/detour\.ts imports .*yaml/,
  );
});

test("a gate that needs only Node.js modules is accepted", async () => {
  await write("src/bin/gate.ts", 'import { request } from "node:https"; request;');
  await expect(build(GATE)).resolves.toHaveLength(1);
});

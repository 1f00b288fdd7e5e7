import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { run } from "../../cluster/command.ts";
import type { Fixture } from "./fixture.ts";

const root = join(import.meta.dirname, "../../..");

const PROGRAM = `
import { KonductorError, withLease, type LeaseWork } from "konductor";

const [lease = "", namespace = "", what = ""] = process.argv.slice(2);
const say = (text: string) => process.stdout.write(text + "\\n");

async function work({ signal, token, expires, holder }: LeaseWork): Promise<number> {
  say(holder + " holds until " + expires.toISOString());
  if (what === "until-lost") await new Promise((resolve) => signal.addEventListener("abort", resolve));
  return token;
}

try {
  const token: number = await withLease({ lease, namespace, holder: "program", ttlMs: 90_000 }, work);
  say("token " + token);
} catch (error) {
  if (!(error instanceof KonductorError)) throw error;
  say("refused: " + error.code);
}
`;

export function packageTests(fixture: () => Fixture): void {
  describe("the package", () => {
    let dir: string;

    /** A project that has only the package, as npm would unpack it, and the types of Node. */
    beforeAll(async () => {
      dir = await mkdtemp(join(tmpdir(), "konductor-package-"));
      const target = join(dir, "node_modules/konductor");
      await mkdir(target, { recursive: true });
      await run(process.execPath, [join(root, "tools/build.ts")]);
      const packed = await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", dir], {
        cwd: root,
      });
      const [{ filename }] = JSON.parse(packed);
      await run("tar", ["-xzf", join(dir, filename), "--strip-components=1", "-C", target]);
      await symlink(join(root, "node_modules/@types"), join(dir, "node_modules/@types"));
      await writeFile(join(dir, "package.json"), JSON.stringify({ type: "module" }));
      const compilerOptions = {
        strict: true,
        module: "nodenext",
        target: "es2024",
        types: ["node"],
        outDir: "out",
      };
      await writeFile(join(dir, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }));
      await writeFile(join(dir, "program.ts"), PROGRAM);
    });
    afterAll(() => rm(dir, { recursive: true }));

    async function runProgram(lease: string, what = ""): Promise<string[]> {
      const env = { KUBECONFIG: fixture().kubeconfigs.alice };
      const args = [join(dir, "out/program.js"), lease, fixture().namespace, what];
      const { stdout } = await promisify(execFile)(process.execPath, args, { env });
      return stdout.trim().split("\n");
    }

    test("has types with which a program compiles, and which find its mistakes", async () => {
      // A missing error that was expected is an error, too.
      const wrong =
        'import { withLease } from "konductor";\n// @ts-expect-error\nawait withLease({ lease: 7 }, async () => {});';
      await writeFile(join(dir, "wrong.ts"), wrong);
      await run(process.execPath, [join(root, "node_modules/typescript/bin/tsc")], { cwd: dir });
    }, 300_000);

    test("runs work under a klease, or says why it cannot", async () => {
      const { newLease, lease, requests, koncli, koncliAs, until } = fixture();
      const name = await newLease();
      const said = await runProgram(name);
      expect(said).toEqual([
        expect.stringMatching(/^program holds until 20/),
        expect.stringMatching(/^token \d+$/),
      ]);
      const { status } = await lease(name);
      expect(status).toMatchObject({ history: [{ holder: "program", reason: "Released" }] });
      expect(said[1]).toBe(`token ${status.lastToken}`);
      expect(await requests(name)).toEqual([]);

      const lost = runProgram(name, "until-lost");
      const held = await until(name, "to be held", (seen) => seen.status.hold?.confirmed === true);
      expect(held.status.hold?.ttlMs).toBe(90_000);
      await koncliAs("admin", "lease", "release", name, "--force");
      expect((await lost).at(-1)).toBe("refused: Revoked");

      await koncli("lease", "acquire", name, "--holder", "one");
      expect(await runProgram(name)).toEqual(["refused: Held"]);
    });
  });
}

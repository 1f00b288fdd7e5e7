/** The package's type declarations: those that are reachable from the entry. */
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";

/** The flags of tsconfig.json that affect declarations; tsc ignores tsconfig.json when it is given a file to compile. */
const FLAGS =
  "--ignoreConfig --target es2024 --lib esnext --types node --module nodenext --strict --exactOptionalPropertyTypes " +
  "--allowImportingTsExtensions --skipLibCheck --declaration --emitDeclarationOnly";

/** Imports in declarations. The compiler leaves `.ts` in them, which only programs with a special setting may import. */
const SPECIFIER = /(^(?:import|export) .*\bfrom |\bimport\()"([^"]+?)(?:\.ts)?"/gm;

/**
 * Writes the declarations of `src/ENTRY.ts`, and of the files that it imports, below `outDir`; returns their paths. Rejects if the compiler fails, or
 * if a declaration imports a package, because a program would then need the package's types.
 */
export async function writeDeclarations(root: string, outDir: string, entry: string): Promise<string[]> {
  const dir = await mkdtemp(join(tmpdir(), "konductor-types-"));
  try {
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    const places = ["--rootDir", join(root, "src"), "--outDir", dir, join(root, "src", `${entry}.ts`)];
    await promisify(execFile)(process.execPath, [tsc, ...FLAGS.split(" "), ...places], { cwd: root }).catch(
      (error: { stdout?: string }) => {
        throw new Error(`the types of src/${entry}.ts cannot be declared: ${error.stdout ?? error}`);
      },
    );
    const written: string[] = [];
    const found = [`${entry}.d.ts`];
    for (const path of found) {
      const text = await readFile(join(dir, path), "utf8");
      for (const [, , name = ""] of text.matchAll(SPECIFIER)) {
        if (!name.startsWith("."))
          throw new Error(
            `the types of the package name ${name}, by way of src/${path}: keep it out of them`,
          );
        const next = join(dirname(path), `${name}.d.ts`);
        if (!found.includes(next)) found.push(next);
      }
      const target = join(outDir, path);
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, text.replaceAll(SPECIFIER, '$1"$2.js"'));
      written.push(target);
    }
    return written;
  } finally {
    await rm(dir, { recursive: true });
  }
}

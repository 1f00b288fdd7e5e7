/** Bundles each program into one file below `dist/`, so that the image and an npm install need no node_modules. */
import { existsSync } from "node:fs";
import { chmod, readFile } from "node:fs/promises";
import { isBuiltin } from "node:module";
import { join } from "node:path";
import { type BuildOptions as BundleOptions, build, type Metafile } from "esbuild";
import { describeError } from "../src/shared/errors.ts";
import { dashboardPage } from "./dashboard-page.ts";
import { writeDeclarations } from "./declarations.ts";
import { slimPackages } from "./slim-packages.ts";

/** A program: its entry is `src/bin/NAME.ts`, its bundle `dist/NAME.js`. */
export interface Program {
  readonly name: string;
  /** Starts inside every labelled pod, where each package costs milliseconds and memory. */
  readonly withoutPackages?: boolean;
  /** People and scripts wait for its start: see {@link slimPackages}. */
  readonly isSlim?: boolean;
  /** Its size counts for more than what its stack traces say. */
  readonly isTiny?: boolean;
}

export const PROGRAMS: readonly Program[] = [
  { name: "konductor" },
  { name: "gate", withoutPackages: true },
  { name: "koncli", isSlim: true },
];

export interface BuildOptions {
  /** The project's root; it holds `src/` and `package.json`. */
  readonly root: string;
  /** The folder for the bundles. */
  readonly outDir: string;
  /** Default: all. */
  readonly programs?: readonly Program[];
  /** Follows the version of package.json in what the programs say of themselves. */
  readonly versionSuffix?: string;
}

/** Writes the bundles and returns their paths. Rejects if an entry is missing or a bundle imports a forbidden module. */
export async function buildPrograms({
  root,
  outDir,
  programs = PROGRAMS,
  versionSuffix = "",
}: BuildOptions): Promise<string[]> {
  const missing = programs
    .map((program) => join("src/bin", `${program.name}.ts`))
    .filter((path) => !existsSync(join(root, path)));
  if (missing.length > 0) throw new Error(`cannot build: ${missing.join(", ")} missing below ${root}`);
  const version = `${await packageVersion(root)}${versionSuffix}`;
  return Promise.all(programs.map((program) => buildProgram(program, root, outDir, version)));
}

/**
 * Writes the package that `import … from "konductor"` resolves to, `index.js` and its types, and returns their paths. Its dependencies are bundled,
 * too: the file works wherever it is copied to, whatever versions the importing program has.
 */
export async function buildLibrary({
  root,
  outDir,
}: Pick<BuildOptions, "root" | "outDir">): Promise<string[]> {
  const outfile = join(outDir, "index.js");
  const { metafile } = await build({
    ...bundleOptions(root, await packageVersion(root)),
    entryPoints: ["src/index.ts"],
    outfile,
    format: "esm",
    plugins: [slimPackages(root)],
    banner: { js: REQUIRE },
  });
  checkImports({ name: "index" }, metafile);
  return [outfile, ...(await writeDeclarations(root, outDir, "index"))];
}

/** The version in package.json. */
export async function packageVersion(root: string): Promise<string> {
  const manifest: unknown = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  if (typeof manifest === "object" && manifest !== null && "version" in manifest) {
    if (typeof manifest.version === "string") return manifest.version;
  }
  throw new Error(`${join(root, "package.json")} has no version`);
}

async function buildProgram(
  program: Program,
  root: string,
  outDir: string,
  version: string,
): Promise<string> {
  const outfile = join(outDir, `${program.name}.js`);
  const isScript = program.withoutPackages || program.isSlim;
  const { metafile } = await build({
    ...bundleOptions(root, version),
    entryPoints: [join("src/bin", `${program.name}.ts`)],
    outfile,
    format: isScript ? "iife" : "esm",
    plugins: program.isSlim ? [slimPackages(root), dashboardPage(root)] : [],
    banner: { js: `${SHEBANG}\n${isScript ? BUILTINS : REQUIRE}` },
    minifyIdentifiers: program.isTiny ?? false,
  });
  checkImports(program, metafile);
  await chmod(outfile, 0o755);
  return outfile;
}

function bundleOptions(root: string, version: string) {
  return {
    absWorkingDir: root,
    bundle: true,
    platform: "node",
    target: "node22.19",
    define: { __KONDUCTOR_VERSION__: JSON.stringify(version) },
    // Names and lines are kept, so that stack traces are readable.
    minifySyntax: true,
    minifyWhitespace: true,
    lineLimit: 120,
    legalComments: "eof",
    metafile: true,
    logLevel: "warning",
  } satisfies BundleOptions;
}

const SHEBANG = "#!/usr/bin/env node";
/** CommonJS packages call `require` for Node's own modules; an ES module has no `require`. */
const REQUIRE = `import { createRequire as createRequireForPackages } from "node:module"; const require = createRequireForPackages(import.meta.url);`;

/**
 * Makes a bundle run as CommonJS and as an ES module, whatever package.json is beside it. The bundle starts faster and takes 4 MiB less than an ES
 * module, in which an import of node:http loads everything that node:http exports, including Node's own undici. Node's modules are loaded when they
 * are needed, after the signal handlers are in place.
 */
const BUILTINS = "var require = process.getBuiltinModule;";

/** Optional modules of packages: of `debug` and `ws`, both dependencies of @kubernetes/client-node. */
const OPTIONAL = new Set(["supports-color", "bufferutil", "utf-8-validate"]);

/** Throws if the bundle imports another file, or contains a package although its program must have none. */
function checkImports(program: Program, metafile: Metafile): void {
  const outside = Object.values(metafile.outputs).flatMap((output) =>
    output.imports.map((each) => each.path),
  );
  const loose = outside.filter((path) => !isBuiltin(path) && !OPTIONAL.has(path));
  if (loose.length > 0)
    throw new Error(`dist/${program.name}.js still imports ${[...new Set(loose)].join(", ")}: bundle it`);
  if (!program.withoutPackages) return;
  const packages = Object.keys(metafile.inputs).filter((path) => path.includes("node_modules/"));
  if (packages.length === 0) return;
  const importers = Object.entries(metafile.inputs)
    .filter(
      ([path, input]) =>
        !path.includes("node_modules/") && input.imports.some((each) => packages.includes(each.path)),
    )
    .map(([path]) => path);
  throw new Error(
    `dist/${program.name}.js may use Node's own modules only, but ${importers.join(", ")} imports ${packages.slice(0, 3).join(", ")}`,
  );
}

if (import.meta.main) {
  const root = join(import.meta.dirname, "..");
  try {
    const options = { root, outDir: join(root, "dist") };
    const paths = [...(await buildPrograms(options)), ...(await buildLibrary(options))];
    for (const path of paths.filter((each) => each.endsWith(".js"))) process.stdout.write(`${path}\n`);
  } catch (error) {
    process.stderr.write(`${describeError(error)}\n`);
    process.exitCode = 1;
  }
}

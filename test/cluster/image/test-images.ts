import { createHash, randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { type Entry, writeOciArchive } from "../../../tools/image/oci-archive.ts";
import { run } from "../command.ts";

/** The sandbox container of every pod. */
export const PAUSE_IMAGE = "konductor.test/pause:1";
/** A shell and the usual small programs. The static glibc cannot resolve names: `wget` crashes even with an address; `nc` and `httpd` work. */
export const BUSYBOX_IMAGE = "konductor.test/busybox:1";

const BUSYBOX = "/bin/busybox";
const FLOCK = "/usr/bin/flock";

/** Writes the archives of both images and returns their paths. Keeps the compiled pause program in the cache folder. */
export async function writeTestImages(dir: string, cacheDir: string): Promise<string[]> {
  await mkdir(dir, { recursive: true });
  const pause = await compilePause(cacheDir);
  const images = [
    { reference: PAUSE_IMAGE, entries: pauseEntries(pause), config: { Entrypoint: ["/pause"] } },
    { reference: BUSYBOX_IMAGE, entries: shellEntries(), config: { Cmd: ["/bin/sh"], Env: ["PATH=/bin"] } },
  ];
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  return Promise.all(
    images.map(async ({ entries, ...image }, index) => {
      const out = join(dir, `${index}.tar`);
      await writeOciArchive({ ...image, platforms: [{ architecture, entries }], out });
      return out;
    }),
  );
}

async function* pauseEntries(binaryPath: string): AsyncGenerator<Entry> {
  yield { path: "pause", mode: 0o755, content: await readFile(binaryPath) };
}

/** Debian's busybox has no `flock`, which the one of the registries has: this is Debian's own, with its libraries. */
async function* shellEntries(): AsyncGenerator<Entry> {
  yield* busyboxEntries();
  yield { path: "bin/flock", mode: 0o755, content: await readFile(FLOCK) };
  for (const [, path = ""] of (await run("ldd", [FLOCK])).matchAll(/\s\/(\S+) \(0x/g))
    yield { path, mode: 0o755, content: await readFile(`/${path}`) };
}

/** A busybox with all its applets in /bin. */
export async function* busyboxEntries(): AsyncGenerator<Entry> {
  yield { path: "bin/busybox", mode: 0o755, content: await readFile(BUSYBOX) };
  const applets = (await run(BUSYBOX, ["--list"])).split("\n").filter((name) => name && name !== "busybox");
  for (const name of applets) yield { path: `bin/${name}`, target: "busybox" };
  yield { path: "tmp", directory: true, mode: 0o1777 };
}

async function compilePause(cacheDir: string): Promise<string> {
  const source = join(import.meta.dirname, "pause.c");
  const version = createHash("sha256")
    .update(await readFile(source))
    .digest("hex")
    .slice(0, 12);
  const target = join(cacheDir, `pause-${version}`);
  if (existsSync(target)) return target;
  await mkdir(cacheDir, { recursive: true });
  const partial = `${target}.${randomUUID()}.partial`;
  await run("gcc", ["-Os", "-static", "-o", partial, source]);
  await rename(partial, target);
  return target;
}

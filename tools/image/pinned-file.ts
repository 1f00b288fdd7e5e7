/** Files of one exact content, downloaded once and kept: the image is the same wherever and whenever it is built. */
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";

export const RENEW = "renew the pins with `npm run image -- --renew-pins`";

export interface PinnedFile {
  /** As messages name it: `Debian package libc6 2.36-9 for arm64`. */
  readonly what: string;
  /** Where it is kept. */
  readonly path: string;
  /** Names the content of a file: {@link pinned} for the right one. */
  readonly digest: (content: Buffer) => string;
  readonly pinned: string;
  /** Writes it as the only file into an empty folder. */
  readonly download: (dir: string) => Promise<unknown>;
}

/** The path of the file, downloaded if it is not there. Rejects if its content is not the pinned one, and keeps no other. */
export async function fetchPinned({ what, path, digest, pinned, download }: PinnedFile): Promise<string> {
  const cached = await readFile(path).catch(() => undefined);
  if (cached && digest(cached) === pinned) return path;
  await inNewFolder(dirname(path), async (dir) => {
    await download(dir).catch((error: unknown) => {
      throw new Error(`${what} cannot be downloaded. If it is served no longer, ${RENEW}`, { cause: error });
    });
    const file = await onlyFileIn(dir);
    const found = digest(await readFile(file));
    if (found !== pinned) {
      throw new Error(`${what} is ${found}, pinned is ${pinned}. If that is in order, ${RENEW}`);
    }
    await rename(file, path);
  });
  return path;
}

/** Hands a folder of its own below `parent` to `work`, and removes it afterwards. */
export async function inNewFolder<T>(parent: string, work: (dir: string) => Promise<T>): Promise<T> {
  await mkdir(parent, { recursive: true });
  const dir = await mkdtemp(join(parent, "download-"));
  try {
    return await work(dir);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

/** The path of what was downloaded into `dir`. */
export async function onlyFileIn(dir: string): Promise<string> {
  const [file, ...others] = await readdir(dir);
  if (!file || others.length > 0)
    throw new Error(`expected one downloaded file in ${dir}, found ${[file, ...others].join(", ")}`);
  return join(dir, file);
}

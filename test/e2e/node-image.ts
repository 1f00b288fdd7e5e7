/** What a trial needs from outside: the smallest image that has Node where images of Node.js have it, and nothing of konductor. */
import type { Entry } from "../../tools/image/oci-archive.ts";
import { TRIAL_IMAGE } from "../../tools/trial/trial-manifest.ts";
import { writeAmd64Image } from "./amd64-image.ts";

const OF_KONDUCTOR = /^konductor\/|koncli$/;

/** Writes the archive of {@link TRIAL_IMAGE} into `dir` and returns its path. */
export function writeNodeImage(
  dir: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const image = {
    reference: TRIAL_IMAGE,
    config: {},
    file: "node-image.tar",
    programs: [],
    choose: async (entries: readonly Entry[]) =>
      entries
        .filter(({ path }) => !OF_KONDUCTOR.test(path))
        .map((entry) => (entry.path === "usr/bin/node" ? { ...entry, path: "usr/local/bin/node" } : entry)),
  };
  return writeAmd64Image(image, dir, env);
}

/** The image that users build in order to call koncli in their own containers: a shell, and koncli with its Node. */
import { join } from "node:path";
import { buildPrograms } from "../../tools/build.ts";
import type { Entry } from "../../tools/image/oci-archive.ts";
import { busyboxEntries } from "../cluster/image/test-images.ts";
import { writeAmd64Image } from "./amd64-image.ts";

/** busybox and koncli. */
export const KONCLI_IMAGE = "konductor.test/koncli:1";

const root = join(import.meta.dirname, "../..");

/** Writes the archive of {@link KONCLI_IMAGE} into `dir` and returns its path. */
export async function writeKoncliImage(
  dir: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const image = {
    reference: KONCLI_IMAGE,
    config: { Cmd: ["/bin/sh"], Env: ["PATH=/bin:/usr/bin"] },
    file: "koncli-image.tar",
    programs: await buildPrograms({ root, outDir: join(root, "dist") }),
    async choose(konductor: readonly Entry[]) {
      const entries = konductor.filter(({ path }) => path !== "tmp");
      for await (const entry of busyboxEntries()) entries.push(entry);
      return entries;
    },
  };
  return writeAmd64Image(image, dir, env);
}

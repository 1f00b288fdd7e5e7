import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { waitFor } from "../wait.ts";
import { cleanUp } from "./clean-up.ts";
import { isAlive, readRecord } from "./record.ts";
import { registryDir, removeRecord } from "./slots.ts";

/** Ends the cluster in a folder: through its owner if that is alive, directly otherwise. Throws if there is no cluster. */
export async function downCluster(dir: string): Promise<void> {
  for (const name of await readdir(registryDir()).catch(() => [])) {
    const path = join(registryDir(), name);
    const record = name.endsWith(".json") ? await readRecord(path) : undefined;
    if (record?.dir !== dir) continue;
    if (await isAlive(record.owner)) {
      process.kill(record.owner.pid, "SIGTERM");
      await waitFor({
        what: `process ${record.owner.pid} to end the cluster in ${dir}`,
        withinMs: 60_000,
        holds: async () => (await readRecord(path))?.id !== record.id,
      });
    } else {
      await cleanUp(record);
      await removeRecord(path, record);
    }
    return;
  }
  throw new Error(`no cluster of yours runs in ${dir}`);
}

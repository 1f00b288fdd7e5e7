/**
 * Each cluster of a user takes a slot, and with it ports and addresses that no other cluster has. Creating the slot's file, which holds the cluster's
 * record, takes the slot; removing the file frees it.
 */
import { randomBytes } from "node:crypto";
import { link, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join, resolve } from "node:path";
import type { Log } from "../log.ts";
import { cleanUp } from "./clean-up.ts";
import { type ClusterRecord, identify, isAlive, readRecord } from "./record.ts";

const SLOTS = 64;
/** Below the ports that the kernel assigns to outgoing connections: such a connection could take the port of a server during its restart. */
const FIRST_PORT = 20_000;
const PORTS_PER_SLOT = 14;

export interface Slot {
  readonly record: ClusterRecord;
  readonly recordPath: string;
}

/** The folder with the records of this user's clusters, and with their state unless a cluster has a folder of its own. */
export const registryDir = (): string => join(tmpdir(), `konductor-clusters-${userInfo().uid}`);

export function slotPorts(slot: number): number[] {
  return Array.from({ length: PORTS_PER_SLOT }, (_, index) => FIRST_PORT + slot * PORTS_PER_SLOT + index);
}

/** Takes a free slot on whose ports nothing listens. */
export async function claimSlot(dir?: string): Promise<Slot> {
  const registry = registryDir();
  await mkdir(registry, { recursive: true, mode: 0o700 });
  const owner = await identify(process.pid);
  if (!owner) throw new Error("/proc is needed to tell whether a cluster's owner is alive: Linux only");
  const id = randomBytes(4).toString("hex");
  for (let slot = 0; slot < SLOTS; slot++) {
    if (!(await allFree(slotPorts(slot)))) continue;
    const record = { id, slot, dir: resolve(dir ?? join(registry, id)), owner };
    const recordPath = join(registry, `slot-${slot}.json`);
    if (await createWith(recordPath, record)) return { record, recordPath };
  }
  throw new Error(`all ${SLOTS} slots for test clusters are taken: see ${registry}`);
}

/** Cleans up clusters whose owner died without ending them, and frees their slots. */
export async function cleanUpLeftovers(log: Log): Promise<void> {
  const registry = registryDir();
  const names = await readdir(registry).catch(() => []);
  for (const name of names.filter((each) => each.startsWith("slot-"))) {
    const path = join(registry, name);
    const record = await readRecord(path);
    if (!record || (await isAlive(record.owner))) continue;
    log.line(`cleaning up the cluster in ${record.dir}, whose owner (pid ${record.owner.pid}) is gone`);
    await cleanUp(record);
    await removeRecord(path, record);
  }
}

/** Removes a record, unless another cluster has taken the slot meanwhile. */
export async function removeRecord(path: string, record: ClusterRecord): Promise<void> {
  if ((await readRecord(path))?.id === record.id) await rm(path, { force: true });
}

/** Creates a file with its whole content, or returns false if it exists. */
async function createWith(path: string, record: ClusterRecord): Promise<boolean> {
  const draft = `${path}.${record.id}`.replace("slot-", "draft-");
  await writeFile(draft, JSON.stringify(record));
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  } finally {
    await rm(draft);
  }
}

async function allFree(ports: readonly number[]): Promise<boolean> {
  const free = await Promise.all(ports.map(isFree));
  return free.every((each) => each);
}

function isFree(port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once("error", () => resolve(false));
  server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  return promise;
}

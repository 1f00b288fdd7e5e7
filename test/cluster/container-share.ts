/**
 * The CPU time of a node's containers. The kernel weighs a control group against processes, and all containers of a node are in one,
 * `/k8s.io`: with its default weight a hundred gates and mains together get as much as one process of somebody else.
 */
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

const ROOT = "/sys/fs/cgroup";
/** As much as so many processes. */
const PROCESSES = 8;
/** By version of the cgroup interface: what one process counts for. */
const V1 = { dir: "cpu/k8s.io", file: "cpu.shares", ofOne: 1_024 };
const V2 = { dir: "k8s.io", file: "cpu.weight", ofOne: 100 };

/** Gives the containers a share that a busy machine does not take from them. Also of use to other nodes on this machine. */
export async function favourContainers(): Promise<void> {
  const { dir, file, ofOne } = existsSync(join(ROOT, "cpu")) ? V1 : V2;
  const path = join(ROOT, dir);
  await mkdir(path, { recursive: true });
  await writeFile(join(path, file), String(PROCESSES * ofOne));
}

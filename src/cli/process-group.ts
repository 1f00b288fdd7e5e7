/** What is left of a process group. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { kill } from "node:process";

/** A process that has not ended. */
export interface GroupProcess {
  pid: number;
  /** The name of its program, without arguments, which may be secret. */
  command: string;
  isStopped: boolean;
}

type SeenProcess = GroupProcess & { hasEnded: boolean };

/**
 * The processes of group `pgid` that have not ended; undefined where there are some but none is visible: only Linux shows them, and other
 * users' may be hidden. A zombie counts as ended.
 */
export function processesIn(pgid: number): GroupProcess[] | undefined {
  return exists(pgid) ? runningAt(() => read("/proc", pgid)) : [];
}

/**
 * Those that `look` finds running; undefined where it cannot tell. One look misses a process that forks and ends meanwhile, and its child.
 * So only two looks in a row that find the same zombies, and nobody else, show that nobody runs.
 */
export function runningAt(look: () => SeenProcess[]): GroupProcess[] | undefined {
  const isRunning = ({ hasEnded }: SeenProcess) => !hasEnded;
  const first = look();
  if (first.some(isRunning)) return first.filter(isRunning);
  const second = look();
  const running = second.filter(isRunning);
  const isSame = second.length > 0 && String(pidsIn(first)) === String(pidsIn(second));
  return running.length > 0 || isSame ? running : undefined;
}

const pidsIn = (processes: readonly GroupProcess[]) => processes.map(({ pid }) => pid);

/** The processes of a group as `proc` shows them (proc(5)), including those that have ended. */
export function read(proc: string, pgid: number): SeenProcess[] {
  return pidsOf(proc)
    .map((pid) => readProcess(proc, pid))
    .filter((process) => process?.pgid === pgid)
    .filter((process) => process !== undefined);
}

function exists(pgid: number): boolean {
  try {
    return kill(-pgid, 0);
  } catch (error) {
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}

function pidsOf(proc: string): string[] {
  try {
    return readdirSync(proc).filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

function readProcess(proc: string, pid: string) {
  try {
    const [, command = "", rest = ""] =
      /^\d+ \((.*)\) (.*)$/s.exec(readFileSync(join(proc, pid, "stat"), "utf8")) ?? [];
    const fields = rest.split(" ");
    const [state = "", , pgid] = fields;
    // The first thread of a process may have ended while others run.
    const hasEnded = "ZXx".includes(state) && Number(fields[17]) <= 1;
    return { pid: Number(pid), pgid: Number(pgid), command, isStopped: "Tt".includes(state), hasEnded };
  } catch {
    // It has ended meanwhile.
    return undefined;
  }
}

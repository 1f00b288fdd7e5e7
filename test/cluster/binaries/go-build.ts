import { randomUUID } from "node:crypto";
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { run } from "../command.ts";
import { RUNC_BUILD_PACKAGES, requirePackages } from "../debian-packages.ts";
import type { Log } from "../log.ts";
import { type BinaryName, GO_SOURCES } from "./catalog.ts";

const GO_MINIMUM = [1, 26] as const;

export interface GoBuild {
  readonly names: readonly BinaryName[];
  /** Each binary appears here complete or not at all, so concurrent builds do no harm. */
  readonly targetDir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
}

/** Builds binaries from their Go modules, pinned by the go.sum files in `../go/`. */
export async function goBuild({ names, targetDir, env, log }: GoBuild): Promise<void> {
  await requireGo(env);
  if (names.includes("runc")) await requirePackages(RUNC_BUILD_PACKAGES, { env, log });
  const startedMs = performance.now();
  for (const [index, name] of names.entries()) {
    const say = () =>
      log.status(
        `building ${name} (${index + 1} of ${names.length}), ${minutes(performance.now() - startedMs)} so far`,
      );
    say();
    const ticker = setInterval(say, 1_000);
    try {
      await buildOne(name, join(targetDir, name), env);
    } finally {
      clearInterval(ticker);
    }
  }
  log.line(`built ${names.join(", ")} in ${minutes(performance.now() - startedMs)}`);
}

async function buildOne(name: BinaryName, target: string, env: GoBuild["env"]): Promise<void> {
  const { module, package: path, ldflags, tags, cgo } = GO_SOURCES[name];
  const partial = `${target}.${randomUUID()}.partial`;
  await mkdir(dirname(target), { recursive: true });
  const args = [
    "build",
    "-trimpath",
    "-mod=readonly",
    // The program of our own, too, is built the same whatever is committed.
    "-buildvcs=false",
    "-tags",
    tags ?? "",
    "-ldflags",
    ldflags,
    "-o",
    partial,
    path,
  ];
  try {
    await run("go", args, {
      cwd: join(import.meta.dirname, "../go", module),
      // A workspace or flags of the user's own would change what is built.
      env: { ...env, CGO_ENABLED: cgo ? "1" : "0", GOWORK: "off", GOFLAGS: "" },
    });
    await rename(partial, target);
  } finally {
    await rm(partial, { force: true });
  }
}

async function requireGo(env: GoBuild["env"]): Promise<void> {
  const needed = `Go ${GO_MINIMUM.join(".")} or newer is needed to build Kubernetes`;
  const output = await run("go", ["env", "GOVERSION"], { env, cwd: import.meta.dirname }).catch(
    (error: unknown) => {
      throw new Error(
        `${needed}, and no \`go\` was found: install it, or name a folder of binaries in KONDUCTOR_KUBE_BIN`,
        {
          cause: error,
        },
      );
    },
  );
  const [, major, minor] = /^go(\d+)\.(\d+)/.exec(output) ?? [];
  const found = Number(major) * 1000 + Number(minor);
  if (!(found >= GO_MINIMUM[0] * 1000 + GO_MINIMUM[1]))
    throw new Error(`${needed}, but this is ${output.trim()}`);
}

function minutes(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60
    ? `${seconds}s`
    : `${Math.floor(seconds / 60)}m${String(seconds % 60).padStart(2, "0")}s`;
}

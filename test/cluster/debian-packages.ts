import { existsSync } from "node:fs";
import { join } from "node:path";
import { run } from "./command.ts";
import type { Log } from "./log.ts";

/** A Debian package and the files that show its presence: each is a program on the PATH or an absolute path. */
interface Requirement {
  readonly package: string;
  readonly has: readonly string[];
}

/** What a node requires on the machine. */
export const NODE_PACKAGES: readonly Requirement[] = [
  { package: "iproute2", has: ["ip"] },
  { package: "nftables", has: ["nft"] },
  { package: "iptables", has: ["iptables"] },
  { package: "procps", has: ["sysctl"] },
  { package: "busybox-static", has: ["/var/lib/dpkg/info/busybox-static.list"] },
  { package: "util-linux", has: ["flock"] },
  { package: "gcc", has: ["gcc"] },
  { package: "libc6-dev", has: ["/usr/include/stdlib.h"] },
];

/** What building runc needs beyond Go. */
export const RUNC_BUILD_PACKAGES: readonly Requirement[] = [
  { package: "gcc", has: ["gcc"] },
  { package: "pkg-config", has: ["pkg-config"] },
  { package: "libseccomp-dev", has: ["/usr/include/seccomp.h"] },
];

export interface PackageOptions {
  /** PATH is searched; NO_INSTALL=1 forbids installation. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  /** Who needs them, for messages. Default: the kubelet node. */
  readonly user?: string;
}

/** Installs the missing packages, after naming them. If it must not install, throws with the command to run. */
export async function requirePackages(
  requirements: readonly Requirement[],
  { env, log, user = "the kubelet node" }: PackageOptions,
): Promise<void> {
  const dirs = (env["PATH"] ?? "").split(":");
  const there = (file: string) =>
    file.startsWith("/") ? existsSync(file) : dirs.some((dir) => existsSync(join(dir, file)));
  const missing = requirements.filter(({ has }) => !has.every(there)).map((each) => each.package);
  if (missing.length === 0) return;
  const install = ["install", "--yes", "--no-install-recommends", ...missing];
  const command = `apt-get ${install.join(" ")}`;
  if (env["NO_INSTALL"] === "1")
    throw new Error(`${user} needs packages, and NO_INSTALL=1 is set. Run: ${command}`);
  log.line(`installing Debian packages: ${missing.join(", ")}`);
  const aptEnv = { ...env, DEBIAN_FRONTEND: "noninteractive" };
  try {
    await run("apt-get", ["update"], { env: aptEnv });
    await run("apt-get", install, { env: aptEnv });
  } catch (error) {
    throw new Error(`${user} needs packages that could not be installed. Run: ${command}`, {
      cause: error,
    });
  }
}

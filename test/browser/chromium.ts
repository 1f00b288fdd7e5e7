/** A real Chromium without a window: Debian's, driven by playwright-core. */
import { type Browser, chromium } from "playwright-core";
import { requirePackages } from "../cluster/debian-packages.ts";
import type { Log } from "../cluster/log.ts";

const PACKAGES = [{ package: "chromium", has: ["/usr/bin/chromium"] }];

export interface ChromiumOptions {
  /** The browser's environment. NO_INSTALL=1 forbids installation. */
  env: Readonly<Record<string, string | undefined>>;
  log: Log;
  /** Further flags. */
  flags?: readonly string[];
}

/** Starts a browser, after having installed it where it is missing. Whoever calls closes it. */
export async function startChromium({ env, log, flags = [] }: ChromiumOptions): Promise<Browser> {
  await requirePackages(PACKAGES, { env, log, user: "the browser" });
  const isRoot = process.getuid?.() === 0;
  return chromium.launch({
    executablePath: "/usr/bin/chromium",
    env,
    // Chromium's sandbox refuses to run as root, and needs nothing of the page, which is ours.
    args: [...(isRoot ? ["--no-sandbox"] : []), "--disable-dev-shm-usage", ...flags],
  });
}

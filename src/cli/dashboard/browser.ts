/** Opens an address in the user's browser. */
import { spawn } from "node:child_process";

/** The program that opens an address on this platform, and its arguments. No shell takes part. */
export function browserCommand(platform: NodeJS.Platform, url: string): readonly [string, ...string[]] {
  switch (platform) {
    case "darwin":
      return ["open", url];
    case "win32":
      return ["rundll32", "url.dll,FileProtocolHandler", url];
    default:
      return ["xdg-open", url];
  }
}

/** Whether a browser could show anything: on Linux it needs a display. */
export function hasDisplay(
  env: Readonly<Record<string, string | undefined>>,
  platform: NodeJS.Platform = process.platform,
): boolean {
  return platform !== "linux" || Boolean(env["DISPLAY"] || env["WAYLAND_DISPLAY"]);
}

/** Resolves when the browser was asked; also where there is none, as the address was printed. It outlives koncli. */
export async function openInBrowser(url: string, command = browserCommand): Promise<void> {
  const [file, ...args] = command(process.platform, url);
  await new Promise<void>((resolve) => {
    const child = spawn(file, args, { stdio: "ignore", detached: true });
    child.once("spawn", resolve);
    child.once("error", () => resolve());
    child.unref();
  });
}

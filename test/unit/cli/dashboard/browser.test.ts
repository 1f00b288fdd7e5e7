/** How the user's browser is started. */
import { expect, test } from "vitest";
import { browserCommand, hasDisplay, openInBrowser } from "../../../../src/cli/dashboard/browser.ts";

test.each<[NodeJS.Platform, string]>([
  ["linux", "xdg-open"],
  ["darwin", "open"],
  ["win32", "rundll32"],
])("on %s it is %s, with the address as an argument of its own", (platform, program) => {
  const url = "http://127.0.0.1:1/open/$(touch x)&calc";
  const [file, ...args] = browserCommand(platform, url);
  expect(file).toBe(program);
  expect(args.at(-1)).toBe(url);
});

test("where there is none, nothing fails", async () => {
  await expect(openInBrowser("http://127.0.0.1:1/", () => ["no-such-program"])).resolves.toBeUndefined();
});

test("on Linux a display is needed, on X11 or Wayland", () => {
  expect(hasDisplay({}, "linux")).toBe(false);
  expect(hasDisplay({ DISPLAY: ":0" }, "linux")).toBe(true);
  expect(hasDisplay({ WAYLAND_DISPLAY: "wayland-0" }, "linux")).toBe(true);
  expect(hasDisplay({}, "darwin")).toBe(true);
});

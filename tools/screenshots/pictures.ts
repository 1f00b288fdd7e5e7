/** Looks at the dashboard, and writes what it sees. */
import { copyFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { startChromium } from "../../test/browser/chromium.ts";
import { streamLog } from "../../test/cluster/cluster.ts";
import { run } from "../../test/cluster/command.ts";
import { requirePackages } from "../../test/cluster/debian-packages.ts";

export interface PictureOptions {
  url: string;
  /** The folder for the pictures. */
  docs: string;
  /** A folder for files in between. */
  dir: string;
  env: Readonly<Record<string, string | undefined>>;
}

/** The browser has the page's font from the system, and a test machine has none that anybody would choose. */
const FONT = "Inter";
const PACKAGES = [
  { package: "fonts-inter", has: ["/var/lib/dpkg/info/fonts-inter.list"] },
  { package: "pngquant", has: ["pngquant"] },
];
/** The names by which Chromium asks for the system's font. */
const SYSTEM_FONTS = ["system-ui", "sans", "sans-serif"];
const FONTS = `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
<include>/etc/fonts/fonts.conf</include>
${SYSTEM_FONTS.map(
  (name) => `<match target="pattern">
  <test name="family" compare="eq"><string>${name}</string></test>
  <edit name="family" mode="prepend" binding="strong"><string>${FONT}</string></edit>
</match>`,
).join("\n")}
</fontconfig>
`;
const SIZE = { width: 1_280, height: 660 };
/** Of the Lease that the pictures look into. */
const CHOSEN = "nightly-report";

/** Writes the pictures and returns their paths. */
export async function takePictures({ url, docs, dir, env }: PictureOptions): Promise<string[]> {
  const log = streamLog(process.stderr);
  await requirePackages(PACKAGES, { env, log, user: "the browser" });
  const fonts = join(dir, "fonts.conf");
  await writeFile(fonts, FONTS);
  const browser = await startChromium({ env: { ...env, FONTCONFIG_FILE: fonts }, log });
  try {
    const light = await openPage(browser, url, "light");
    const paths = [await shoot(light, "dashboard-light")];
    await openStory(light);
    await light.getByRole("button", { name: "Force release…" }).click();
    const dialog = light.getByRole("dialog");
    await dialog.getByRole("button", { name: "Release with proof" }).waitFor();
    await light.mouse.move(0, 0);
    paths.push(await shoot(light, "dashboard-release"));
    const dark = await openPage(browser, url, "dark");
    await openStory(dark);
    paths.push(await shoot(dark, "dashboard-dark"));
    return paths;
  } finally {
    await browser.close();
  }

  async function shoot(page: Page, name: string): Promise<string> {
    const raw = join(dir, `${name}-raw.png`);
    const small = join(dir, `${name}.png`);
    await page.screenshot({ path: raw });
    await run("pngquant", ["--speed", "1", "--strip", "--force", "--output", small, "256", raw]);
    const path = join(docs, `${name}.png`);
    await copyFile(small, path);
    return path;
  }
}

async function openPage(browser: Browser, url: string, colorScheme: "light" | "dark"): Promise<Page> {
  const page = await browser.newPage({ viewport: SIZE, colorScheme });
  await page.goto(url);
  await page.getByRole("status").filter({ hasText: "Live" }).waitFor();
  await page.getByText("5 m", { exact: true }).click();
  await page.getByRole("button", { name: new RegExp(`/${CHOSEN},`) }).waitFor();
  return page;
}

async function openStory(page: Page): Promise<void> {
  await page.getByRole("button", { name: new RegExp(`/${CHOSEN},`) }).click();
  await page.getByRole("complementary").getByText("Events", { exact: true }).waitFor();
}

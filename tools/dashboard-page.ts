/** Puts the page of `koncli dashboard`, bundled, in the place of src/cli/dashboard/assets.ts, which serves it from its sources. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { build, type Plugin } from "esbuild";

const PAGE = "src/cli/dashboard/page";

export function dashboardPage(root: string): Plugin {
  return {
    name: "dashboard-page",
    setup(bundle) {
      bundle.onLoad({ filter: /[\\/]cli[\\/]dashboard[\\/]assets\.ts$/ }, async () => ({
        contents: moduleOf({
          "/": {
            type: "text/html; charset=utf-8",
            body: await readFile(join(root, PAGE, "index.html"), "utf8"),
          },
          "/page.js": { type: "text/javascript; charset=utf-8", body: await bundled(root, "main.ts") },
          "/page.css": { type: "text/css; charset=utf-8", body: await bundled(root, "style.css") },
        }),
        loader: "js",
      }));
    },
  };
}

function moduleOf(assets: Record<string, { type: string; body: string }>): string {
  return `const ASSETS = new Map(Object.entries(${JSON.stringify(assets)}));\nexport async function readAsset(path) { return ASSETS.get(path); }\n`;
}

async function bundled(root: string, entry: string): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [join(PAGE, entry)],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    target: "es2024",
    charset: "utf8",
    minify: true,
    legalComments: "none",
    logLevel: "warning",
  });
  return outputFiles.map(({ text }) => text).join("");
}

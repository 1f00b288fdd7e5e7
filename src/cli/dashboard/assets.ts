/**
 * The files of the page, where koncli runs from its sources: each TypeScript file as the browser's own module, without its types. tools/build.ts puts
 * the bundled page in the place of this module (tools/dashboard-page.ts), so that koncli stays one file.
 */
import { readFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import { join } from "node:path";

export interface Asset {
  /** MIME type. */
  type: string;
  body: string;
}

const SOURCES = join(import.meta.dirname, "../..");
const PAGE = "cli/dashboard/page";
/** Imports between sources work because every source has the address of its path. */
const SOURCE = /^\/src\/((?:[a-z0-9-]+\/)*[a-z0-9-]+\.ts)$/;

/** The file of the page at this path; undefined if there is none. */
export async function readAsset(path: string): Promise<Asset | undefined> {
  switch (path) {
    case "/":
      return { type: "text/html; charset=utf-8", body: await readSource(`${PAGE}/index.html`) };
    case "/page.css":
      return { type: "text/css; charset=utf-8", body: await readSource(`${PAGE}/style.css`) };
    case "/page.js":
      return script(`import "/src/${PAGE}/main.ts";`);
  }
  const [, source] = SOURCE.exec(path) ?? [];
  return source === undefined ? undefined : script(stripTypeScriptTypes(await readSource(source)));
}

function script(body: string): Asset {
  return { type: "text/javascript; charset=utf-8", body };
}

function readSource(path: string): Promise<string> {
  return readFile(join(SOURCES, path), "utf8");
}

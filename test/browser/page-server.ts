/** The dashboard's page on a server that says what it is told to say: no cluster, and no koncli. */
import { readFile } from "node:fs/promises";
import { createServer, type ServerResponse } from "node:http";
import { join } from "node:path";
import { build } from "esbuild";
import { PATHS, type PageMessage } from "../../src/cli/dashboard/wire.ts";

const PAGE = join(import.meta.dirname, "../../src/cli/dashboard/page");
/** As koncli's server has it. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'";

export interface PageServer {
  readonly url: string;
  /** Of a page without anything. */
  readonly emptyUrl: string;
  /** Tells every open page. */
  say(...messages: PageMessage[]): void;
  close(): void;
}

/** Serves the page as `koncli dashboard` does. `first` is what a page is told when it opens. */
export async function startPageServer(first: () => PageMessage[]): Promise<PageServer> {
  const bundle = await build({
    entryPoints: [join(PAGE, "main.ts")],
    bundle: true,
    platform: "browser",
    format: "esm",
    target: "es2022",
    minify: true,
    write: false,
  });
  const files: Readonly<Record<string, readonly [type: string, body: string]>> = {
    "/": ["text/html; charset=utf-8", await readFile(join(PAGE, "index.html"), "utf8")],
    "/page.css": ["text/css", await readFile(join(PAGE, "style.css"), "utf8")],
    "/page.js": ["text/javascript", bundle.outputFiles[0]?.text ?? ""],
    "/empty": ["text/html", "<!doctype html><title>empty</title>"],
  };
  const streams = new Set<ServerResponse>();
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const file = files[pathname];
    response.setHeader("content-security-policy", POLICY);
    if (file) {
      response.setHeader("content-type", file[0]).end(file[1]);
      return;
    }
    if (pathname !== PATHS.stream) {
      response.writeHead(404).end();
      return;
    }
    streams.add(response);
    response.on("close", () => streams.delete(response));
    response.write(`${JSON.stringify(first())}\n`);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const origin = `http://127.0.0.1:${port}`;
  return {
    url: `${origin}/#any`,
    emptyUrl: `${origin}/empty`,
    say(...messages) {
      for (const stream of streams) stream.write(`${JSON.stringify(messages)}\n`);
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

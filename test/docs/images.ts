/** Images for the names that pages and examples use as placeholders: a busybox whose program works for a while. */
import { join } from "node:path";
import { type Entry, writeOciArchive } from "../../tools/image/oci-archive.ts";
import { busyboxEntries } from "../cluster/image/test-images.ts";

/** How long each placeholder works, in seconds; a server: until it is stopped. */
const WORK: Readonly<Record<string, number | "server">> = {
  "registry.example/report:1": 60,
  "registry.example/billing:1": 2,
  "registry.example/shop:2": 2,
  "registry.example/orders:2": 2,
  "registry.example/importer:1": "server",
  "registry.example/db-backup:1": 2,
};
/** What examples/ run has commands of its own. */
const BUSYBOX = "busybox:1.37";

/** Writes the archives into `dir`, and resolves with their paths. */
export async function writePlaceholderImages(dir: string): Promise<string[]> {
  const architecture = process.arch === "x64" ? "amd64" : process.arch;
  const Env = ["PATH=/bin"];
  const programs = Object.entries(WORK).map(([reference, work]) => ({
    reference,
    config: { Env, Entrypoint: ["/work"] },
    entries: withProgram(work),
  }));
  const all = [
    { reference: BUSYBOX, config: { Env, Cmd: ["/bin/sh"] }, entries: busyboxEntries() },
    ...programs,
  ];
  return Promise.all(
    all.map(async ({ reference, config, entries }, index) => {
      const out = join(dir, `placeholder-${index}.tar`);
      await writeOciArchive({ platforms: [{ architecture, entries }], reference, config, out });
      return out;
    }),
  );
}

async function* withProgram(work: number | "server"): AsyncGenerator<Entry> {
  yield* busyboxEntries();
  const program = work === "server" ? "httpd -f -p 8080 -h /www &" : `sleep ${work} &`;
  // The first process of a container gets a signal only if it handles it.
  yield { path: "work", mode: 0o755, content: `#!/bin/sh\ntrap 'exit 143' TERM\n${program}\nwait $!\n` };
  yield { path: "www/healthz", content: "ok\n" };
}

/**
 * `npm run screenshots`: the pictures of `koncli dashboard` in docs/. A control plane, konductor and pods as local processes are started, a story of a
 * few minutes is played on them, and a real Chromium looks at it. It takes about five minutes.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startProcessEnvironment } from "../../test/e2e/process-environment.ts";
import { runUntilSignalled } from "../signals.ts";
import { serveDashboard } from "./dashboard.ts";
import { takePictures } from "./pictures.ts";
import { playStory } from "./story.ts";

const docs = join(import.meta.dirname, "../../docs");

async function main(signal: AbortSignal): Promise<number> {
  const { env, stderr, stdout } = process;
  const dir = await mkdtemp(join(tmpdir(), "konductor-screenshots-"));
  const environment = await startProcessEnvironment({ env, stream: stderr });
  const ending = new AbortController();
  const until = AbortSignal.any([signal, ending.signal]);
  const ended: Promise<unknown>[] = [];
  try {
    const story = await playStory({ environment, dir, signal: until, say: (text) => stderr.write(text) });
    ended.push(story.ended);
    const dashboard = await serveDashboard(environment.cluster.kubeconfigPath, dir, until);
    ended.push(dashboard.ended);
    await story.told;
    for (const path of await takePictures({ url: dashboard.url, docs, dir, env })) stdout.write(`${path}\n`);
    return 0;
  } finally {
    ending.abort();
    await Promise.allSettled(ended);
    await environment.stop();
    await rm(dir, { recursive: true, force: true });
  }
}

await runUntilSignalled(process, main);

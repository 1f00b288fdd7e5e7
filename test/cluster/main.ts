/** A real Kubernetes to try things on: `npm run cluster -- help`. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join, resolve } from "node:path";
import { Command, Option } from "commander";
import { type ClusterOptions, startCluster, streamLog } from "./cluster.ts";
import { startDetached, tellStarter } from "./detached.ts";
import { downCluster } from "./state/down.ts";

type UpOptions = Pick<ClusterOptions, "node" | "dir"> & { readonly detach?: boolean };

const starter = process.send ? tellStarter(process) : undefined;
const log = starter ?? streamLog(process.stderr);
const program = new Command("npm run cluster --")
  .description("A real Kubernetes of your own, to try things on.")
  .enablePositionalOptions();

program
  .command("up")
  .description("start a cluster and print its folder; ends with Ctrl-C unless --detach")
  .addOption(
    new Option("--node <kind>", "kubelet: with a real node (root on Linux); none: control plane only")
      .choices(["kubelet", "none"])
      .default(process.getuid?.() === 0 ? "kubelet" : "none"),
  )
  .option("--dir <folder>", "an empty or missing folder for its state")
  .option("--detach", "leave it running in the background")
  .action(async ({ detach, ...options }: UpOptions) => {
    if (detach) {
      const args = [`--node=${options.node}`, ...(options.dir ? [`--dir=${options.dir}`] : [])];
      process.stdout.write(`${await startDetached([import.meta.filename, "up", ...args], log)}\n`);
    } else {
      await upUntilSignal(options);
    }
  });

program
  .command("run")
  .description("run a command with KUBECONFIG set")
  .argument("<folder>", "what `up` printed")
  .argument("<command...>")
  .passThroughOptions()
  .action(async (dir: string, words: string[]) => {
    const [command = "", ...args] = words[0] === "--" ? words.slice(1) : words;
    const env = { ...process.env, KUBECONFIG: join(resolve(dir), "kubeconfig") };
    const [code] = await once(spawn(command, args, { env, stdio: "inherit" }), "exit");
    process.exitCode = typeof code === "number" ? code : 1;
  });

program
  .command("down")
  .description("end a cluster and remove its folder")
  .argument("<folder>", "what `up` printed")
  .action((dir: string) => downCluster(resolve(dir)));

async function upUntilSignal(options: Pick<ClusterOptions, "node" | "dir">): Promise<void> {
  const signal = Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
  const starting = startCluster({ ...options, env: process.env, log });
  // A signal during the start: exit, and the reaper ends what has been started.
  if (Array.isArray(await Promise.race([signal, starting]))) process.exit(130);
  const cluster = await starting;
  if (starter) starter.ready(cluster.dir);
  else process.stdout.write(`${cluster.dir}\n`);
  await signal;
  await cluster.stop();
}

try {
  await program.parseAsync();
} catch (error) {
  for (let each: unknown = error; each; each = each instanceof Error ? each.cause : undefined) {
    log.line(each instanceof Error ? each.message : String(each));
  }
  process.exitCode = 1;
}

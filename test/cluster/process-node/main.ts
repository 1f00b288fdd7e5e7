/**
 * A process node for a running cluster.
 * Usage: main.ts --kubeconfig FILE --dir DIR [--name NAME] [--bundle DIR] [--command IMAGE_PATH=HOST_PATH]...
 */
import { once } from "node:events";
import { parseArgs } from "node:util";
import { createLogger } from "../../../src/shared/log.ts";
import { startProcessNode } from "./process-node.ts";

const { values } = parseArgs({
  options: {
    kubeconfig: { type: "string" },
    dir: { type: "string" },
    name: { type: "string", default: "process-node" },
    bundle: { type: "string", default: "dist" },
    command: { type: "string", multiple: true, default: [] },
  },
});
if (!values.kubeconfig || !values.dir) {
  process.stderr.write("--kubeconfig FILE and --dir DIR must be given\n");
  process.exit(2);
}
const node = await startProcessNode({
  kubeconfigPath: values.kubeconfig,
  dir: values.dir,
  name: values.name,
  bundleDir: values.bundle,
  nodePath: process.execPath,
  commandPaths: Object.fromEntries(values.command.map((pair) => pair.split("=", 2))),
  logger: createLogger(),
});
process.stdout.write(`${node.name} is Ready\n`);
await Promise.race([once(process, "SIGTERM"), once(process, "SIGINT")]);
await node.stop();

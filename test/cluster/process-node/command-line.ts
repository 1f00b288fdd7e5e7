/** Finds the host's programs and files behind a container's command, as no image is unpacked. */
import { join } from "node:path";
import { ContainerConfigError, expand } from "./environment.ts";
import type { Container } from "./pod.ts";

/** Where konductor's image has its bundles. */
const IMAGE_BUNDLE_DIR = "/konductor/";

export interface CommandPaths {
  /** Stands for `/konductor` of the image. */
  readonly bundleDir: string;
  /** Path in the image to path on the host. */
  readonly commandPaths: Readonly<Record<string, string>>;
}

/** Command and arguments with `$(NAME)` expanded. Throws ContainerConfigError when the image would have to say what to run. */
export function commandLine(
  container: Container,
  env: Readonly<Record<string, string>>,
  paths: CommandPaths,
): [string, ...string[]] {
  const [program, ...args] = [...container.command, ...container.args].map((word) => expand(word, env));
  if (container.command.length === 0 || program === undefined) {
    throw new ContainerConfigError("the process node unpacks no image: the container must have a command");
  }
  return hostCommand([program, ...args], paths);
}

/** The same for a command that is used as it stands, as in a hook. */
export function hostCommand(
  [program, ...args]: readonly [string, ...string[]],
  paths: CommandPaths,
): [string, ...string[]] {
  return [
    paths.commandPaths[program] ?? hostPath(program, paths),
    ...args.map((word) => hostPath(word, paths)),
  ];
}

function hostPath(word: string, { bundleDir }: CommandPaths): string {
  return word.startsWith(IMAGE_BUNDLE_DIR) ? join(bundleDir, word.slice(IMAGE_BUNDLE_DIR.length)) : word;
}

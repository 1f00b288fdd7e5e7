/** Finds the host's programs and files that a container's command refers to, because no image is unpacked. */
import { join } from "node:path";
import { ContainerConfigError, expand } from "./environment.ts";
import type { Container } from "./pod.ts";

/** The folder of the bundles in konductor's image. */
const IMAGE_BUNDLE_DIR = "/konductor/";

export interface CommandPaths {
  /** The folder on the host that replaces `/konductor` of the image. */
  readonly bundleDir: string;
  /** Maps a path in the image to a path on the host. */
  readonly commandPaths: Readonly<Record<string, string>>;
}

/** Command and arguments with `$(NAME)` expanded. Throws ContainerConfigError if only the image has the command. */
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

/** Like {@link commandLine}, for a command that is used unexpanded, such as a hook's. */
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

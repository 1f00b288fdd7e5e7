import { ELF_MACHINE } from "./elf.ts";

/** A kind of node that the image is built for. */
export interface Platform {
  /** As the OCI format, Kubernetes and Debian name its processor. */
  readonly architecture: "amd64" | "arm64";
  /** `e_machine` of every ELF file in its image. */
  readonly machine: number;
  /** Debian's folder for its libraries. */
  readonly triplet: string;
}

export const AMD64: Platform = {
  architecture: "amd64",
  machine: ELF_MACHINE.amd64,
  triplet: "x86_64-linux-gnu",
};
export const ARM64: Platform = {
  architecture: "arm64",
  machine: ELF_MACHINE.arm64,
  triplet: "aarch64-linux-gnu",
};
export const PLATFORMS: readonly Platform[] = [AMD64, ARM64];

/** Reads `--platform`: names such as `linux/amd64`, also several with commas between them. Throws for any other name. */
export function parsePlatforms(values: readonly string[]): Platform[] {
  const names = values.flatMap((value) => value.split(","));
  const known = new Map(PLATFORMS.map((platform) => [`linux/${platform.architecture}`, platform]));
  const wrong = names.find((name) => !known.has(name));
  if (wrong !== undefined) {
    throw new Error(
      `--platform: ${JSON.stringify(wrong)} is not allowed; use ${[...known.keys()].join(", ")}`,
    );
  }
  return [...known].filter(([name]) => names.includes(name)).map(([, platform]) => platform);
}

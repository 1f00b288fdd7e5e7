import { open } from "node:fs/promises";

/** `MaxContainerTerminationMessageLength` of kubelet 1.37. */
const MAX_BYTES = 4096;

/** The end of a container's termination log, as the kubelet reads it; undefined if the log is empty. */
export async function readTerminationMessage(path: string): Promise<string | undefined> {
  try {
    await using file = await open(path);
    const { size } = await file.stat();
    const length = Math.min(size, MAX_BYTES);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString("utf8", 0, bytesRead) || undefined;
  } catch {
    return undefined;
  }
}

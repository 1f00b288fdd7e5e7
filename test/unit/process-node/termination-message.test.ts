import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readTerminationMessage } from "../../cluster/process-node/termination-message.ts";

test("a termination message is the last 4 KiB of what the container wrote, if it wrote anything", async () => {
  const path = join(await mkdtemp(join(tmpdir(), "termination-")), "0");
  expect(await readTerminationMessage(path)).toBeUndefined();
  await writeFile(path, "");
  expect(await readTerminationMessage(path)).toBeUndefined();
  await writeFile(path, "acquired 7");
  expect(await readTerminationMessage(path)).toBe("acquired 7");
  await writeFile(path, `begin${"x".repeat(5000)}end`);
  expect(await readTerminationMessage(path)).toBe(`${"x".repeat(4093)}end`);
});

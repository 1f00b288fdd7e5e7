import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, expect, test } from "vitest";
import { journalFunction, openJournal } from "../../e2e/journal.ts";

let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "konductor-journal-"));
});
afterEach(() => rm(dir, { recursive: true }));

test("a main that lives on under an old token is not mistaken for the pod's later main", async () => {
  const lines = ["1.00 start a 41", "1.10 beat a 41", "2.00 start a 42", "2.10 beat a 41", "2.20 end a 42"];
  await writeFile(join(dir, "report"), `${lines.join("\n")}\n`);
  expect(await openJournal(dir, "report").runs()).toEqual([
    { by: "a", token: 41, fromMs: 1_000, toMs: 2_100, ended: false },
    { by: "a", token: 42, fromMs: 2_000, toMs: 2_200, ended: true },
  ]);
});

test("entries written by a shell are read, with a token and without", async () => {
  const journal = openJournal(dir, "report");
  const script = [journalFunction(journal.path), "j start", "token=41", "j start"].join("\n");
  await promisify(execFile)("sh", ["-c", script], { env: { HOSTNAME: "a" } });
  expect(await journal.entries()).toMatchObject([
    { event: "start", by: "a" },
    { event: "start", by: "a", token: 41 },
  ]);
  expect((await journal.entries())[0]).not.toHaveProperty("token");
});

/**
 * Loaded into a replica before its own modules (`node --import`): notes each write of what konductor rules, when the API server has answered
 * it, and ends the replica then and there, before it learns of the answer, at the write whose number it was told. The folder
 * FAILPOINT_DIR holds the notes of all replicas, and that number.
 */
import { subscribe } from "node:diagnostics_channel";
import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";

const dir = process.env["FAILPOINT_DIR"] ?? "";
const RULED = /\/(leases|leaserequests)\.?|\/(pods|jobs)\//;

interface Answered {
  request: { method: string; path: string };
}

// Published by undici, also where it is part of a bundle.
subscribe("undici:request:headers", (message) => {
  const { method, path } = (message as Answered).request;
  const isElection = path.includes("/coordination.k8s.io/");
  if (method === "GET" || isElection || !RULED.test(path)) return;
  const notes = join(dir, "writes");
  appendFileSync(notes, `${process.pid} ${method} ${path}\n`);
  const count = readFileSync(notes, "utf8").trimEnd().split("\n").length;
  if (count === Number(readFileSync(join(dir, "end-at"), "utf8"))) process.kill(process.pid, "SIGKILL");
});

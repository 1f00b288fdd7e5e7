/**
 * Loaded into a replica before its own modules (`node --import`). Records each write to the objects that konductor decides about, once the API server
 * has answered. Kills the replica at the write with a given number, before the replica learns of the answer. The folder FAILPOINT_DIR holds the
 * records of all replicas, and that number.
 */
import { subscribe } from "node:diagnostics_channel";
import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";

const dir = process.env["FAILPOINT_DIR"] ?? "";
const RULED = /\/(leases|leaserequests)\.?|\/(pods|jobs)\//;

interface Answered {
  request: { method: string; path: string };
}

// undici publishes this, also as part of a bundle.
subscribe("undici:request:headers", (message) => {
  const { method, path } = (message as Answered).request;
  const isElection = path.includes("/coordination.k8s.io/");
  if (method === "GET" || isElection || !RULED.test(path)) return;
  const notes = join(dir, "writes");
  appendFileSync(notes, `${process.pid} ${method} ${path}\n`);
  const count = readFileSync(notes, "utf8").trimEnd().split("\n").length;
  if (count === Number(readFileSync(join(dir, "end-at"), "utf8"))) process.kill(process.pid, "SIGKILL");
});

/**
 * Ends a cluster when its owner dies for whatever reason: the owner holds the other end of our stdin. Each cluster has one reaper, in a session of
 * its own so that Ctrl-C does not reach it. Usage: main.ts RECORD
 */
import { once } from "node:events";
import { cleanUp } from "../state/clean-up.ts";
import { readRecord } from "../state/record.ts";
import { removeRecord } from "../state/slots.ts";

const [recordPath = ""] = process.argv.slice(2);
process.stdin.resume();
await once(process.stdin, "end");
const record = await readRecord(recordPath);
if (record) {
  await cleanUp(record);
  await removeRecord(recordPath, record);
}

/**
 * Whether konductor can be updated while it is at work (`npm run bench:rollouts`, some minutes), by rolling updates of 2 and of 3 replicas. Prints
 * how many admissions failed, how many holds and places in the queue were lost, and how long the slowest admission took; exits with 1 if anything was
 * lost or failed.
 * usage: node test/bench/rollouts.ts [UPDATES]
 */
import { atWork } from "./at-work.ts";

const [updates = 5] = process.argv.slice(2).map(Number);

for (const replicas of [2, 3]) {
  const { text, isNothing } = await atWork({ replicas }, async (environment) => {
    for (let update = 0; update < updates; update++) await environment.roll();
  });
  process.stdout.write(`${updates} rolling updates of ${replicas} replicas in ${text}\n`);
  if (!isNothing) process.exitCode = 1;
}

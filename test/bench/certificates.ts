/**
 * Whether certificates can be renewed while konductor is at work (`npm run bench:certificates`, some minutes). Two replicas run with serving
 * certificates that live for 15 s and a CA that lives for 150 s, so that the next CA signs after 125 s. Meanwhile the Secret is deleted, damaged and
 * emptied. Prints how many CAs and certificates were served, and what the renewals cost; exits with 1 if they cost anything.
 * usage: node test/bench/certificates.ts [SECONDS]
 */
import { X509Certificate } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { SECRETS } from "../../src/kube/resources.ts";
import { record, textMap } from "../../src/shared/json.ts";
import { SYSTEM_NAMESPACE, TLS_SECRET } from "../../src/shared/names.ts";
import type { ProcessEnvironment } from "../e2e/process-environment.ts";
import { atWork } from "./at-work.ts";

const FLAGS = ["--ca-duration=150s", "--certificate-duration=15s"];
const LOOK_EVERY_MS = 1_000;
const HARM_EVERY_MS = 40_000;
const [seconds = 300] = process.argv.slice(2).map(Number);

const SECRET = { namespace: SYSTEM_NAMESPACE, name: TLS_SECRET };
const ofSecret = async ({ client }: ProcessEnvironment) => record(await client.get(SECRETS, SECRET));
const HARMS: readonly ((environment: ProcessEnvironment) => Promise<unknown>)[] = [
  ({ client }) => client.delete(SECRETS, SECRET),
  async (environment) =>
    environment.client.replace(SECRETS, { ...(await ofSecret(environment)), data: { "ca.crt": "aGVsbG8=" } }),
  async (environment) => environment.client.replace(SECRETS, { ...(await ofSecret(environment)), data: {} }),
];

const authorities = new Set<string>();
const serving = new Set<string>();
let harms = 0;

const { text, isNothing } = await atWork({ replicas: 2, konductorFlags: FLAGS }, async (environment) => {
  const endMs = performance.now() + seconds * 1_000;
  let harmAtMs = performance.now() + HARM_EVERY_MS;
  while (performance.now() < endMs) {
    const data = textMap((await ofSecret(environment).catch(() => ({ data: {} })))["data"]);
    for (const [key, seen] of [
      ["ca.crt", authorities],
      ["tls.crt", serving],
    ] as const) {
      const pem = Buffer.from(data[key] ?? "", "base64").toString();
      if (pem.startsWith("-----BEGIN")) seen.add(new X509Certificate(pem).serialNumber);
    }
    if (performance.now() >= harmAtMs) {
      await HARMS[harms++ % HARMS.length]?.(environment);
      harmAtMs += HARM_EVERY_MS;
    }
    await sleep(LOOK_EVERY_MS);
  }
});
process.stdout.write(
  `${authorities.size} authorities and ${serving.size} serving certificates, the Secret harmed ${harms} times, in ${text}\n`,
);
if (!isNothing || authorities.size < 2) process.exitCode = 1;

/** Whom gate and keeper trust when they start: those of the pod's environment, and those that it has learnt since, which are on its disk. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { runKeeper } from "../../../src/gate/keeping/keeper.ts";
import { runGate } from "../../../src/gate/waiting/gate.ts";
import { EXIT, PATH } from "../../../src/shared/names.ts";
import { createAuthority, issueServingCertificate, type KeyPair } from "../../../src/tls/authority.ts";
import { json, stream } from "./scripted-server.ts";
import { openStage, type Stage, TTL_MS } from "./stage.ts";

const WAITING = { state: "waiting", position: 1, of: 1 };
const GRANTED = { state: "granted", token: 41, ttlMs: TTL_MS, renewEveryMs: TTL_MS / 3 };
const RENEWED = { token: 41, ttlMs: TTL_MS, renewals: 0 };

let first: KeyPair;
let second: KeyPair;
let third: KeyPair;
let trustDir: string;
let stage: Stage | undefined;
beforeAll(async () => {
  [first, second, third] = await Promise.all([
    createAuthority(Date.now()),
    createAuthority(Date.now()),
    createAuthority(Date.now()),
  ]);
});
beforeEach(() => {
  trustDir = mkdtempSync(join(tmpdir(), "konductor-trust-"));
});
afterEach(async () => {
  await stage?.close();
  rmSync(trustDir, { recursive: true, force: true });
});

/** A container of a pod that was made when `first` signed, with no state but its trust, and a server whose certificate `signer` has signed. */
async function start(signer: KeyPair, dir: string | undefined = trustDir): Promise<Stage> {
  await stage?.close();
  const names = { dnsNames: ["localhost"], ipAddresses: [] };
  const { certPem, keyPem } = await issueServingCertificate(signer, names, Date.now());
  stage = await openStage({ cert: certPem, key: keyPem }, { ca: first.certPem.trim(), trustDir: dir });
  stage.server.play(PATH.acquire, stream([GRANTED], { end: true }));
  stage.server.play(PATH.renew, json(RENEWED));
  return stage;
}
const path = () => join(trustDir, "trust.json");
const store = (ca: string, urls: string[] = []) => writeFileSync(path(), JSON.stringify({ ca, urls }));
const run = ({ context, termination }: Stage): Promise<number> => runGate(context, termination.signal);
/** Lets time go by until then: an address that is of no use is left after a pause. */
async function ended(exit: Promise<number>, { clock }: Stage): Promise<number> {
  let code: number | undefined;
  void exit.then((found) => {
    code = found;
  });
  await expect.poll(() => clock.turn(500).then(() => code)).toBeDefined();
  return exit;
}

test("a gate that has learnt the next authority while it waited, and is killed, is granted when that one signs", async () => {
  const before = await start(first);
  const news = { ca: `${first.certPem}${second.certPem}`, urls: [before.server.url] };
  before.server.play(PATH.acquire, stream([{ ...WAITING, ...news }]));
  const waiting = run(before).catch(() => "killed");
  await expect.poll(() => existsSync(path())).toBe(true);
  before.terminate();
  expect(await waiting).toBe("killed");
  expect(before.stored()).toBeUndefined();
  const after = await start(second);
  expect(await ended(run(after), after)).toBe(EXIT.done);
});

test("a keeper stores whom a renewal tells it to trust, and the next one begins with that", async () => {
  const before = await start(first);
  const news = { ca: `${first.certPem}${second.certPem}`, urls: [before.server.url] };
  before.server.play(PATH.renew, json({ ...RENEWED, ...news }));
  before.hold();
  const keeping = runKeeper(before.context, before.termination);
  await before.clock.turn(TTL_MS / 2);
  await expect.poll(() => existsSync(path())).toBe(true);
  before.server.play(PATH.release, json({ released: true }));
  before.terminate();
  expect(await keeping).toBe(EXIT.done);
  const after = await start(second);
  after.hold();
  after.server.play(PATH.release, json({ released: true }));
  after.terminate();
  expect(await ended(runKeeper(after.context, after.termination), after)).toBe(EXIT.done);
  expect(after.server.requests(PATH.release)).toHaveLength(1);
});

test.each<[string, () => void]>([
  ["there is none", () => {}],
  ["it names an authority that signs no more", () => store(third.certPem, ["https://127.0.0.2:1"])],
])("where what was learnt is of no use, whom the environment names is trusted: %s", async (_what, spoil) => {
  spoil();
  const started = await start(first);
  expect(await ended(run(started), started)).toBe(EXIT.done);
  expect(started.lines.join()).not.toContain("ignored");
});

test.each<[string, () => void]>([
  ["no JSON", () => writeFileSync(path(), '{"ca":"-----BEGIN')],
  ["empty", () => writeFileSync(path(), "")],
  ["without a bundle", () => writeFileSync(path(), '{"urls":[]}')],
  [
    "half a bundle",
    () => store(`${second.certPem}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`),
  ],
  ["an address that is no https URL", () => store(second.certPem, ["http://127.0.0.1:1"])],
  [
    "too long",
    () => writeFileSync(path(), JSON.stringify({ ca: second.certPem, urls: [], x: "x".repeat(65_536) })),
  ],
])("a damaged file is ignored, and one line says so: %s", async (_what, spoil) => {
  spoil();
  const started = await start(first);
  expect(await run(started)).toBe(EXIT.done);
  expect(started.lines.filter((line) => line.includes(`${path()} is ignored`))).toHaveLength(1);
});

test("an answer replaces whom the file and the environment name", async () => {
  store(`${second.certPem}${third.certPem}`);
  const started = await start(second);
  const news = { ca: second.certPem, urls: [started.server.url] };
  started.server.play(PATH.renew, json({ ...RENEWED, ...news }));
  expect(await run(started)).toBe(EXIT.done);
  expect(started.context.route.current().ca).toBe(second.certPem);
  expect(JSON.parse(readFileSync(path(), "utf8"))).toEqual(news);
});

test("what the environment says as well is not written", async () => {
  const started = await start(first);
  started.server.play(PATH.renew, json({ ...RENEWED, ca: first.certPem, urls: [`${started.server.url}/`] }));
  expect(await run(started)).toBe(EXIT.done);
  expect(existsSync(path())).toBe(false);
});

test("a file that cannot be written costs a line in the log, and no grant", async () => {
  const started = await start(first, join(trustDir, "missing"));
  const news = { ca: `${first.certPem}${second.certPem}`, urls: [started.server.url] };
  started.server.play(PATH.acquire, stream([{ ...WAITING, ...news }, GRANTED]));
  started.server.play(PATH.renew, json({ ...RENEWED, ...news }));
  expect(await run(started)).toBe(EXIT.done);
  expect(started.lines.filter((line) => line.includes("could not be stored"))).toHaveLength(1);
});

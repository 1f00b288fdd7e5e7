/** How a name is looked up, and that a process which has asked a silent DNS server can still end at once. */
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { candidates, hostLookup, type LookupFiles } from "../../../src/gate/wire/host-lookup.ts";
import { EXIT } from "../../../src/shared/names.ts";
import { startNode } from "./bundle.ts";

const MODULE = join(import.meta.dirname, "../../../src/gate/wire/host-lookup.ts");
const SEARCH = "search team-a.svc.cluster.local svc.cluster.local cluster.local";

let dir: string;
let files: LookupFiles;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "konductor-lookup-"));
  files = { hosts: join(dir, "hosts"), resolvConf: join(dir, "resolv.conf") };
  writeFileSync(
    files.hosts,
    "127.0.0.1 localhost\n::1 localhost\n10.0.0.7\tkonductor.konductor-system.svc alias # ours\n",
  );
});
afterEach(() => rmSync(dir, { recursive: true }));

async function dnsServer(onQuestion: (name: string, type: number, question: Buffer) => Buffer | undefined) {
  const socket: Socket = createSocket("udp4");
  socket.on("message", (question, { port, address }) => {
    const labels: string[] = [];
    let at = 12;
    for (let length = question[at] ?? 0; length > 0; length = question[at] ?? 0) {
      labels.push(question.subarray(at + 1, at + 1 + length).toString());
      at += length + 1;
    }
    const answer = onQuestion(labels.join("."), question.readUInt16BE(at + 1), question.subarray(0, at + 5));
    if (answer) socket.send(answer, port, address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return { server: `127.0.0.1:${socket.address().port}`, close: () => socket.close() };
}

/** An answer with 10.96.0.7, or without a record. */
function reply(question: Buffer, isKnown: boolean): Buffer {
  const header = Buffer.from(question);
  header.writeUInt16BE(isKnown ? 0x8180 : 0x8183, 2);
  header.writeUInt16BE(isKnown ? 1 : 0, 6);
  header.writeUInt16BE(0, 8);
  header.writeUInt16BE(0, 10);
  const record = Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 10, 96, 0, 7]);
  return isKnown ? Buffer.concat([header, record]) : header;
}

function addressesOf(host: string, servers: readonly string[] = []): Promise<unknown> {
  return new Promise((resolve, reject) =>
    hostLookup(files, servers)(host, { all: true }, (error, found) =>
      error ? reject(error) : resolve(found),
    ),
  );
}

test.each([
  [
    "a name with fewer dots than ndots is tried with the search list first",
    `${SEARCH}\noptions ndots:5`,
    "konductor.konductor-system.svc",
    1,
  ],
  [
    "a name with as many dots as ndots is tried as it is first",
    `${SEARCH}\noptions ndots:2`,
    "konductor.konductor-system.svc",
    0,
  ],
])("%s", (_, resolvConf, host, at) => {
  const names = candidates(resolvConf, host);
  expect(names).toHaveLength(4);
  expect(names.indexOf(`${host}.svc.cluster.local`)).toBe(at + (at === 0 ? 2 : 0));
});

test.each([
  ["no resolv.conf", "", "db", ["db"]],
  ["a name that ends with a dot", SEARCH, "db.", ["db."]],
  ["the last search line", "search a\nsearch b", "db", ["db.b", "db"]],
])("candidates for %s", (_, resolvConf, host, names) => {
  expect(candidates(resolvConf, host).toSorted()).toEqual(names.toSorted());
});

test("names in the hosts file are not asked for", async () => {
  expect(await addressesOf("localhost")).toEqual([
    { address: "127.0.0.1", family: 4 },
    { address: "::1", family: 6 },
  ]);
  expect(await addressesOf("alias")).toEqual([{ address: "10.0.0.7", family: 4 }]);
});

test("the first name of the search list that has an address wins", async () => {
  writeFileSync(files.resolvConf, `${SEARCH}\noptions ndots:5\n`);
  const asked = new Set<string>();
  const { server, close } = await dnsServer((name, type, question) => {
    asked.add(name);
    return reply(question, name === "db.other.svc.cluster.local" && type === 1);
  });
  expect(await addressesOf("db.other", [server])).toEqual([{ address: "10.96.0.7", family: 4 }]);
  await expect(addressesOf("none.other", [server])).rejects.toThrow("no address is known of none.other");
  expect([...asked].slice(0, 2)).toEqual(["db.other.team-a.svc.cluster.local", "db.other.svc.cluster.local"]);
  close();
});

test("a process that has asked a silent server can end at once", async () => {
  const { server, close } = await dnsServer(() => undefined);
  const script = join(dir, "script.ts");
  writeFileSync(
    script,
    `import { hostLookup } from ${JSON.stringify(MODULE)};
     hostLookup(${JSON.stringify(files)}, [${JSON.stringify(server)}])("db", { all: true }, () => process.exit(1));
     setTimeout(() => { console.log(Date.now()); process.exit(${EXIT.fenced}); }, 100);`,
  );
  const child = startNode([script], {});
  expect(await child.exit).toBe(EXIT.fenced);
  expect(Date.now() - Number(child.output().match(/^\d+$/m)?.[0])).toBeLessThan(500);
  close();
});

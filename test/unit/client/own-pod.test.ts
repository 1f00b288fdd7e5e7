import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ownPodUid } from "../../../src/client/own-pod.ts";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "konductor-own-pod-"));
});
afterAll(() => rm(dir, { recursive: true }));

const tokenWith = (claims: object) =>
  `${btoa("{}")}.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.signature`;

test.each<[string, string | undefined, string | undefined]>([
  ["a pod's token", tokenWith({ "kubernetes.io": { pod: { name: "web-0", uid: "u-1" } } }), "u-1"],
  ["a token without a pod", tokenWith({ "kubernetes.io": { namespace: "ns" } }), undefined],
  ["a token of another kind", tokenWith({ sub: "alice" }), undefined],
  ["text that is no token", "secret", undefined],
  ["nothing", undefined, undefined],
])("the pod's uid is read from %s, if it holds one", async (what, token, expected) => {
  const path = join(dir, what);
  if (token !== undefined) await writeFile(path, token);
  expect(ownPodUid(path)).toBe(expected);
});

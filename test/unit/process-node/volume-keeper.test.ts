import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createLogger } from "../../../src/shared/log.ts";
import type { NodeApi } from "../../cluster/process-node/node-api.ts";
import { type VolumeKeeper, volumeKeeper } from "../../cluster/process-node/volume-keeper.ts";
import { type ManualClock, manualClock } from "./manual-clock.ts";
import { samplePod } from "./samples.ts";

const token = { serviceAccountToken: { path: "token", audience: "konductor.io", expirationSeconds: 1_000 } };
const labels = {
  downwardAPI: { items: [{ path: "app", fieldRef: { fieldPath: "metadata.labels['app']" } }] },
};
const pod = samplePod(
  {
    volumes: [
      { name: "identity", projected: { sources: [token, labels] } },
      { name: "work", emptyDir: {} },
    ],
  },
  ["main"],
  { metadata: { name: "pod", namespace: "ns", uid: "uid-1", labels: { app: "web" } } },
);

let dir: string;
let clock: ManualClock;
let requestToken: ReturnType<typeof vi.fn<NodeApi["requestToken"]>>;
let keeper: VolumeKeeper;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "volumes-"));
  clock = manualClock();
  let issued = 0;
  requestToken = vi.fn(async (_, { expirationSeconds }) => ({
    token: `token-${++issued}`,
    expiresAtMs: clock.nowMs() + expirationSeconds * 1_000,
  }));
  const api: NodeApi = {
    requestToken,
    objectData: async () => ({}),
    writeStatus: async () => undefined,
    removePod: async () => {},
  };
  const addresses = { hostIp: "127.0.0.1", podIp: "127.64.0.1" };
  keeper = volumeKeeper({ dir, addresses, api, clock, logger: createLogger({ level: "silent" }) });
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const stored = (name: string) => readFile(join(keeper.volumes?.paths.get("identity") ?? "", name), "utf8");

/** The token after all due renewals. Files are written in real time, so the next renewal may be scheduled late. */
async function renewed(): Promise<string> {
  await clock.advance(0);
  return await stored("token");
}

test("volumes have the pod's token and fields, and are removed with the pod", async () => {
  const volumes = await keeper.ensure(pod);
  expect(await stored("token")).toBe("token-1");
  expect(await stored("app")).toBe("web");
  const work = volumes?.paths.get("work") ?? "";
  expect(existsSync(work)).toBe(true);
  await keeper.remove();
  expect(existsSync(work)).toBe(false);
});

test("each token is renewed after four fifths of its life", async () => {
  await keeper.ensure(pod);
  await clock.advance(799_999);
  expect(requestToken).toHaveBeenCalledTimes(1);
  await clock.advance(1);
  await expect.poll(renewed).toBe("token-2");
  await clock.advance(800_000);
  await expect.poll(renewed).toBe("token-3");
});

test("a failed renewal keeps the token and is retried", async () => {
  await keeper.ensure(pod);
  requestToken.mockRejectedValueOnce(new Error("no API server"));
  await clock.advance(800_000);
  await expect.poll(() => requestToken.mock.calls.length).toBe(2);
  expect(await stored("token")).toBe("token-1");
  await clock.advance(10_000);
  await expect.poll(() => stored("token")).toBe("token-2");
});

test("volumes exist only once there is a token", async () => {
  requestToken.mockRejectedValueOnce(new Error("no API server"));
  expect(await keeper.ensure(pod)).toBeUndefined();
  expect((await keeper.ensure(pod))?.paths.size).toBe(2);
});

test("tokens are not renewed for a pod that has ended", async () => {
  await keeper.ensure(pod);
  keeper.stop();
  await clock.advance(3_600_000);
  expect(requestToken).toHaveBeenCalledTimes(1);
});

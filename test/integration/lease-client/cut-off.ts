import { afterAll, describe, expect, test } from "vitest";
import { withLease } from "../../../src/client/with-lease.ts";
import { waitFor } from "../../cluster/wait.ts";
import { startTcpProxy, type TcpProxy } from "../kube/tcp-proxy.ts";
import type { Fixture } from "./fixture.ts";

export function cutOffTests(fixture: () => Fixture): void {
  describe("a client that is cut off from the API server", () => {
    const proxies: TcpProxy[] = [];
    /** A proxy to the API server for one client, which can be cut without effect on other clients. */
    async function openWay(): Promise<{ proxy: TcpProxy; kubeconfig: string }> {
      const proxy = await startTcpProxy(fixture().environment.cluster.apiServerUrl);
      proxies.push(proxy);
      return { proxy, kubeconfig: await fixture().kubeconfigOf("alice", proxy.url) };
    }
    afterAll(() => Promise.all(proxies.map((proxy) => proxy.close())));

    test("while it waits, is granted a klease that was released meanwhile", async () => {
      const { namespace, koncli, newLease, requests, until } = fixture();
      const { proxy, kubeconfig } = await openWay();
      const lease = await newLease();
      await koncli("lease", "acquire", lease, "--holder", "one");
      const options = { kubeconfig, namespace, lease, holder: "two", timeoutMs: 60_000 };
      const done = withLease(options, async ({ token }) => token);
      await waitFor({
        what: "the other to wait",
        withinMs: 20_000,
        holds: async () => (await requests(lease)).some(({ spec }) => spec.holder === "two"),
      });
      proxy.cut();
      await koncli("lease", "release", lease, "--holder", "one");
      await until(lease, "to be granted", ({ status }) => status.hold?.holder === "two");
      proxy.mend();
      const token = await done;
      const { status } = await until(
        lease,
        "to be released",
        (seen) => seen.status.history[0]?.holder === "two",
      );
      expect(status.history[0]).toMatchObject({ reason: "Released", token });
    });

    test("for a short time, keeps its hold", async () => {
      const { namespace, newLease, until } = fixture();
      const { proxy, kubeconfig } = await openWay();
      const lease = await newLease();
      const troubles: string[] = [];
      const onTrouble = (text: string) => troubles.push(text);
      const options = { kubeconfig, namespace, lease, ttlMs: 15_000, graceMs: 1_000, onTrouble };
      await withLease(options, async ({ signal }) => {
        await until(lease, "to be renewed", ({ status }) => status.hold?.renewals === 1);
        proxy.cut();
        await waitFor({
          what: "a renewal to fail",
          withinMs: 10_000,
          holds: async () => troubles.length > 0,
        });
        proxy.mend();
        await until(lease, "to be renewed again", ({ status }) => (status.hold?.renewals ?? 0) >= 3);
        expect(signal.aborted).toBe(false);
      });
      expect(troubles[0]).toMatch(/could not be renewed and is tried again/);
    });

    test("is told to stop before any other client can be granted", async () => {
      const { namespace, newLease, koncli, lease: read } = fixture();
      const { proxy, kubeconfig } = await openWay();
      const lease = await newLease();
      let abortedMs = 0;
      const options = { kubeconfig, namespace, lease, holder: "cut", ttlMs: 6_000, graceMs: 1_000 };
      const lost = withLease(options, async ({ signal }) => {
        proxy.cut();
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        abortedMs = Date.now();
        proxy.mend();
      });
      lost.catch(() => undefined);
      await waitFor({
        what: "the hold",
        withinMs: 20_000,
        holds: async () => (await read(lease)).status.hold !== undefined,
      });
      const next = await koncli("lease", "acquire", lease, "--holder", "next", "--wait", "--timeout", "30s");
      await expect(lost).rejects.toMatchObject({ code: "Lost" });
      expect(next.code).toBe(0);
      const { status } = await read(lease);
      expect(abortedMs).toBeGreaterThan(0);
      expect(status.hold?.acquiredMs).toBeGreaterThan(abortedMs);
    });
  });
}

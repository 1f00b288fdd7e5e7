/** Lists and watches. */
import { expect } from "vitest";
import type { ObjectRef, WatchEvent, WatchOptions } from "../../../src/kube/api.ts";
import { LEASES, type Resource } from "../../../src/kube/resources.ts";
import { type Check, CONFIG_MAPS, code, metadataOf, type Stage, until, versionOf } from "./stage.ts";

export function reads(check: Check): void {
  check("lists are paged, and selected by labels and names", async ({ client, namespace }) => {
    for (const name of ["a", "b", "c"])
      await client.create(CONFIG_MAPS, { metadata: { namespace, name, labels: { page: "yes" } } });
    await client.create(CONFIG_MAPS, { metadata: { namespace, name: "d", labels: { page: "no" } } });
    const names = ({ items }: { items: unknown[] }) => items.map((item) => metadataOf(item)["name"]);
    const options = { namespace, labelSelector: "page=yes", limit: 2 };
    const first = await client.list(CONFIG_MAPS, options);
    await client.create(CONFIG_MAPS, { metadata: { namespace, name: "bb", labels: { page: "yes" } } });
    const second = await client.list(CONFIG_MAPS, { ...options, continue: first.continue });
    expect([...names(first), ...names(second)]).toEqual(["a", "b", "c"]);
    expect([second.continue, second.resourceVersion]).toEqual([undefined, first.resourceVersion]);
    expect(names(await client.list(CONFIG_MAPS, { namespace, labelSelector: "page" }))).toHaveLength(5);
    const byName = { namespace, fieldSelector: "metadata.name=bb" };
    expect(names(await client.list(CONFIG_MAPS, byName))).toEqual(["bb"]);
  });

  check("a watch shows all changes after its version, as its selector sees them", async (stage) => {
    const { client, namespace } = stage;
    const { resourceVersion } = await client.list(CONFIG_MAPS, { namespace });
    const told: string[] = [];
    const watch = watching(stage, CONFIG_MAPS, { resourceVersion, labelSelector: "seen=yes" }, (event) => {
      const metadata = metadataOf(event.object);
      told.push(`${event.type} ${metadata["name"]} ${metadata["resourceVersion"]}`);
    });
    const label = (seen: string | null) => ({ metadata: { labels: { seen } } });
    const ref = (name: string): ObjectRef => ({ namespace, name });
    await client.create(CONFIG_MAPS, { metadata: ref("w1") });
    const shown = await client.patch(CONFIG_MAPS, ref("w1"), label("yes"), { type: "merge" });
    const changed = await client.patch(CONFIG_MAPS, ref("w1"), { data: { a: "b" } }, { type: "merge" });
    const hidden = await client.patch(CONFIG_MAPS, ref("w1"), label(null), { type: "merge" });
    const other = await client.create(CONFIG_MAPS, { metadata: { ...ref("w2"), labels: { seen: "yes" } } });
    await client.delete(CONFIG_MAPS, ref("w2"));
    await until(stage, () => told.length >= 5);
    watch.stop();
    expect(told.slice(0, 4)).toEqual([
      `ADDED w1 ${versionOf(shown)}`,
      `MODIFIED w1 ${versionOf(changed)}`,
      `DELETED w1 ${versionOf(hidden)}`,
      `ADDED w2 ${versionOf(other)}`,
    ]);
    const [type, name, version = ""] = told[4]?.split(" ") ?? [];
    expect([type, name]).toEqual(["DELETED", "w2"]);
    expect(BigInt(version)).toBeGreaterThan(BigInt(versionOf(other)));
    // The watch can be resumed at any version.
    const again: string[] = [];
    const resumed = watching(
      stage,
      CONFIG_MAPS,
      { resourceVersion: versionOf(hidden), fieldSelector: "metadata.name=w2" },
      (event) => again.push(event.type),
    );
    await until(stage, () => again.length >= 2);
    resumed.stop();
    expect(again).toEqual(["ADDED", "DELETED"]);
  });

  check("a watch ends by itself after its time", async (stage) => {
    const { resourceVersion } = await stage.client.list(LEASES, { namespace: stage.namespace });
    const options = { resourceVersion, allowWatchBookmarks: true, timeoutSeconds: 2, labelSelector: "none" };
    const told: string[] = [];
    await watching(stage, LEASES, options, ({ type }) => told.push(type)).ended;
    expect(told.filter((type) => type !== "BOOKMARK")).toEqual([]);
  });

  check("a version that is too old is Gone", async (stage) => {
    const watch = watching(stage, LEASES, { resourceVersion: "1" }, () => undefined);
    await expect(watch.ended).rejects.toMatchObject(code("Gone"));
  });
}

function watching(
  { client, namespace }: Stage,
  resource: Resource,
  options: WatchOptions,
  tell: (event: WatchEvent) => void,
) {
  const stop = new AbortController();
  const run = async () => {
    for await (const event of client.watch(resource, { namespace, ...options }, stop.signal)) tell(event);
  };
  const ended = run();
  ended.catch(() => undefined);
  return { ended, stop: () => stop.abort() };
}

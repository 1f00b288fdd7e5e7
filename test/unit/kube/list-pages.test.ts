/** A list is read in pages of about as many bytes, whatever the size of its objects. */
import { expect, test } from "vitest";
import type { KubeClient, ListOptions } from "../../../src/kube/api.ts";
import { listAll } from "../../../src/kube/list-pages.ts";
import { PODS } from "../../../src/kube/resources.ts";
import { KonductorError } from "../../../src/shared/errors.ts";

const MB = 1 << 20;

/** A server with objects of these sizes. `asked` are the limits of the requested pages, `sent` the bytes of the pages that were sent. */
function serve(sizes: readonly number[]) {
  const asked: number[] = [];
  const sent: number[] = [];
  async function list(
    _: unknown,
    { limit = 500, continue: from = "0", limitBytes = 0, onReceived }: ListOptions,
  ) {
    const begin = Number(from);
    const page = sizes.slice(begin, begin + limit);
    const bytes = page.reduce((sum, size) => sum + size, 0);
    asked.push(limit);
    if (bytes > limitBytes) throw new KonductorError("TooLarge", `longer than ${limitBytes} bytes`);
    sent.push(bytes);
    onReceived?.(bytes);
    const end = begin + page.length;
    return { items: page, resourceVersion: "1", continue: end < sizes.length ? String(end) : undefined };
  }
  const client: Pick<KubeClient, "list"> = Object.assign(Object.create(null), { list });
  return { asked, sent, all: () => listAll(client, PODS, {}, Number) };
}

const repeated = (size: number, count: number) => Array<number>(count).fill(size);

test("pages of small objects grow, up to the usual limit", async () => {
  const { asked, all } = serve(repeated(1_000, 2_000));
  expect(await all()).toHaveLength(2_000);
  expect(asked).toEqual([16, 64, 256, 500, 500, 500, 500]);
});

test("pages of large objects have few objects", async () => {
  const { sent, all } = serve(repeated(MB, 200));
  expect(await all()).toHaveLength(200);
  expect(Math.max(...sent.slice(1))).toBeLessThanOrEqual(2 * MB);
  expect(sent[0]).toBeLessThanOrEqual(16 * MB);
});

test("large objects behind small ones never come in one page", async () => {
  const sizes = [...repeated(1_000, 1_000), ...repeated(MB, 200), ...repeated(1_000, 1_000)];
  const { sent, all } = serve(sizes);
  expect(await all()).toEqual(sizes);
  expect(Math.max(...sent)).toBeLessThanOrEqual(16 * MB);
});

test("an object that is longer than a page may be is an error", async () => {
  const { asked, all } = serve([17 * MB]);
  await expect(all()).rejects.toMatchObject({ code: "TooLarge" });
  expect(asked).toEqual([16, 4, 1]);
});

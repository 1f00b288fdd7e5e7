/** How authorities follow each other. What replicas do with them is tested on a real API server. */
import { beforeAll, expect, test } from "vitest";
import { certificatesIn } from "../../../src/shared/pem.ts";
import { type Authorities, advance, bundleOf } from "../../../src/tls/authorities.ts";
import { createAuthority, type KeyPair } from "../../../src/tls/authority.ts";

const CA_MS = 600_000;
const NOW_MS = Math.floor(Date.now() / 1_000) * 1_000;
let [first, second, third]: KeyPair[] = [];

beforeAll(async () => {
  [first, second, third] = await Promise.all([0, 1, 2].map(() => createAuthority(NOW_MS, CA_MS)));
});

const at = (authorities: Authorities, sinceMs: number) => advance(authorities, NOW_MS + sinceMs, CA_MS);
function pair(found: KeyPair | undefined): KeyPair {
  return found ?? expect.fail("there are no authorities");
}

test("nothing is due in the first two thirds of a life", async () => {
  const authorities = { current: pair(first), former: [] };
  expect(await at(authorities, (CA_MS * 2) / 3 - 1)).toBe(authorities);
  const { next } = await at(authorities, (CA_MS * 2) / 3);
  expect(next?.publishedMs).toBe(NOW_MS + (CA_MS * 2) / 3);
});

test("an authority signs only once it was published for a sixth of a life, however old it is", async () => {
  const next = { ...pair(second), publishedMs: NOW_MS + 100_000 };
  const authorities = { current: pair(first), next, former: [] };
  expect(await at(authorities, 199_999)).toBe(authorities);
  expect(await at(authorities, 200_000)).toEqual({ current: pair(second), former: [pair(first).certPem] });
});

test("an authority that was made for a longer life keeps it, and is trusted to its end", async () => {
  const long = await createAuthority(NOW_MS, 10 * CA_MS);
  const authorities = { current: long, former: [] };
  expect(await at(authorities, (10 * CA_MS * 2) / 3 - 1)).toBe(authorities);
  const published = await at(authorities, 7 * CA_MS);
  expect(published).toMatchObject({ current: long, next: { publishedMs: NOW_MS + 7 * CA_MS } });
  const replaced = await at(published, 7 * CA_MS + CA_MS / 6);
  expect(replaced).toMatchObject({ current: { certPem: published.next?.certPem }, former: [long.certPem] });
});

test("the next authority stays when a former one is dropped", async () => {
  const brief = await createAuthority(NOW_MS, 10_000);
  const next = { ...pair(second), publishedMs: NOW_MS };
  const authorities = { current: pair(first), next, former: [brief.certPem] };
  expect(await at(authorities, 20_000)).toEqual({ current: pair(first), next, former: [] });
});

test("after the end of the signing authority the next one signs at once, or a new one if there is none", async () => {
  const brief = await createAuthority(NOW_MS, 10_000);
  const next = { ...pair(third), publishedMs: NOW_MS };
  expect(await at({ current: brief, next, former: [] }, 20_000)).toEqual({
    current: pair(third),
    former: [],
  });
  const { current } = await at({ current: brief, former: [] }, 20_000);
  expect(current.certPem).not.toBe(brief.certPem);
});

test("a bundle begins with the authority that signs", () => {
  const next = { ...pair(second), publishedMs: NOW_MS };
  const bundle = bundleOf({ current: pair(first), next, former: [pair(third).certPem] });
  expect(certificatesIn(bundle)).toEqual([first, second, third].map((each) => each?.certPem.trim()));
});

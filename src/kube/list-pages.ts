/**
 * Lists of any size, a page at a time. `limit` counts objects, and an object has a hundred bytes or a megabyte, as its author likes. So a
 * list begins with a short page, and the sizes seen so far decide how long the next one may be.
 */
import { hasCode } from "../shared/errors.ts";
import type { KubeClient, ListOptions, ObjectList, Parse } from "./api.ts";
import type { Resource } from "./resources.ts";

/** The size aimed at; decoded, a page takes a few times as much memory. */
const PAGE_BYTES = 2 << 20;
/** A longer page is given up while it comes in, and asked for anew with fewer objects. */
const LONGEST_PAGE_BYTES = 16 << 20;
const FIRST_LIMIT = 16;
const MOST = 500;
/** A page of small objects says little about the next one. */
const GROWTH = 4;

/** How many objects the next page has. */
export interface PageSizes {
  readonly limit: number;
  /** A page of this many objects had this many bytes. */
  took(items: number, bytes: number): void;
  /** The page was too long. Returns false if it was of one object only. */
  shrink(): boolean;
}

export function createPageSizes(): PageSizes {
  let limit = FIRST_LIMIT;
  return {
    get limit() {
      return limit;
    },
    took(items, bytes) {
      const fitting = items === 0 ? MOST : Math.floor((PAGE_BYTES * items) / Math.max(1, bytes));
      limit = Math.max(1, Math.min(fitting, GROWTH * limit, MOST));
    },
    shrink() {
      const isOne = limit === 1;
      limit = Math.max(1, Math.floor(limit / GROWTH));
      return !isOne;
    },
  };
}

/** One page of a list. Throws as {@link KubeClient} says. */
export async function listPage<T>(
  client: Pick<KubeClient, "list">,
  resource: Resource,
  options: ListOptions,
  sizes: PageSizes,
  parse: Parse<T>,
): Promise<ObjectList<T>> {
  for (;;) {
    let bytes = 0;
    const onReceived = (received: number) => {
      bytes = received;
    };
    try {
      const asked = { ...options, limit: sizes.limit, limitBytes: LONGEST_PAGE_BYTES, onReceived };
      const page = await client.list(resource, asked, parse);
      sizes.took(page.items.length, bytes);
      return page;
    } catch (error) {
      if (!hasCode(error, "TooLarge") || !sizes.shrink()) throw error;
    }
  }
}

/** All there is, parsed page by page. Throws as {@link KubeClient} says; Gone where it took so long that its beginning was compacted. */
export async function listAll<T>(
  client: Pick<KubeClient, "list">,
  resource: Resource,
  options: ListOptions,
  parse: Parse<T>,
): Promise<T[]> {
  const sizes = createPageSizes();
  const all: T[] = [];
  let page: ObjectList<T> | undefined;
  do {
    page = await listPage(client, resource, { ...options, continue: page?.continue }, sizes, parse);
    all.push(...page.items);
  } while (page.continue);
  return all;
}

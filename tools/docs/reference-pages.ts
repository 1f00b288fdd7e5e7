/** The pages of docs/ that are made from the sources. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { apiPage } from "./api-page.ts";
import { koncliPage } from "./koncli-page.ts";

/** Content by path below `root`. */
export async function referencePages(root: string): Promise<ReadonlyMap<string, string>> {
  const paths = ["leases", "leaserequests"].map((name) => join(root, `deploy/crds/${name}.yaml`));
  const definitions = await Promise.all(
    paths.map(async (path): Promise<unknown> => parse(await readFile(path, "utf8"))),
  );
  return new Map([
    ["docs/api.md", apiPage(definitions)],
    ["docs/koncli-reference.md", koncliPage()],
  ]);
}

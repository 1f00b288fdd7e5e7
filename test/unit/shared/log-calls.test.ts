/** Every call of the logger where Leases are arbitrated and served says which one it concerns, unless it concerns none. */
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const SRC = join(import.meta.dirname, "../../../src");
const CALL = /\blogger\??\.(?:trace|debug|info|warn|error|fatal)\([\s\S]*?\)[;,)]*\n/g;
/** Fields of log-fields.ts, or those that were noted for a request. */
const FIELDS = /\.\.\.(?:about|notesOn)/;
/** Messages of lines that concern no Lease in particular. */
const OF_NONE = ['"arbitrating"'];

const calls = globSync("{controller,server,objects}/**/*.ts", { cwd: SRC }).flatMap((file) =>
  [...readFileSync(join(SRC, file), "utf8").matchAll(CALL)].map(([call]) => ({ file, call })),
);

test("the calls are found", () => {
  for (const message of ["cannot be tidied", "a waiting gate is sent away", "an admission request failed"])
    expect(calls.filter(({ call }) => call.includes(message))).toHaveLength(1);
});

test.each(calls)("$file: $call", ({ call }) => {
  if (!OF_NONE.some((message) => call.includes(message))) expect(call).toMatch(FIELDS);
});

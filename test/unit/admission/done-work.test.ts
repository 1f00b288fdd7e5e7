/** What users may write of a klease's list of done work, and what they are told. */
import { describe, expect, test } from "vitest";
import { mutate } from "../../../src/server/admission/mutate.ts";
import { list, parseJson, record } from "../../../src/shared/json.ts";
import { contextWith, requestWith } from "./fixtures.ts";

const DONE = [{ key: "schema-v42", holder: "first", token: 9, time: "2026-01-01T00:00:00Z" }];
const status = { phase: "Available", fencingToken: 12, done: DONE };

const leaseWith = (annotations: object = {}, more: object = {}) => ({
  metadata: { name: "schema", namespace: "team", annotations },
  spec: { ttl: "1m" },
  ...more,
});

function admit(operation: string, object: unknown, oldObject?: unknown) {
  const answer = mutate(
    requestWith({ operation, kind: "konductor.io/Lease", username: "ada", object, oldObject }),
    contextWith(),
  );
  const patch = list(parseJson(Buffer.from(answer.patch ?? "", "base64").toString()));
  return { allowed: answer.allowed, patch, warnings: answer.warnings, message: answer.status?.message };
}
const annotate = (sent: string, stored: object = {}, more: object = { status }) =>
  admit("UPDATE", leaseWith({ ...stored, "konductor.io/forget": sent }, more), leaseWith(stored, more));
const valueIn = (patch: unknown[]) => record(patch[0])["value"];

describe("the annotation forget", () => {
  test("gets the token of the entry that is meant, and the name of who asks", () => {
    const { patch, warnings } = annotate("schema-v42");
    expect(valueIn(patch)).toBe('{"key":"schema-v42","token":9,"by":"ada"}');
    expect(warnings).toBeUndefined();
  });

  test("is left as it was, with a warning, if the klease remembers no such work", () => {
    const { allowed, warnings, patch } = annotate("schema-v43");
    expect({ allowed, warnings }).toEqual({
      allowed: true,
      warnings: ['klease schema remembers no work "schema-v43": there is nothing to forget'],
    });
    expect(record(patch[0])["op"]).toBe("remove");
  });

  test("is refused while an earlier key has not been taken over", () => {
    const done = [...DONE, { ...DONE[0], key: "seed", token: 7 }];
    const stored = { "konductor.io/forget": '{"key":"seed","token":7,"by":"bob"}' };
    const { allowed, message } = annotate("schema-v42", stored, { status: { ...status, done } });
    expect(allowed).toBe(false);
    expect(message).toContain(
      'konductor has not taken over yet that "seed" is forgotten; try again in a moment',
    );
    expect(annotate("schema-v42", stored).allowed).toBe(true);
  });

  test.each(['{"key":"schema-v42","token":99,"by":"bob"}', "a b", "x".repeat(64)])(
    "is refused if it is no key: %s",
    (sent) => {
      const { allowed, message } = annotate(sent);
      expect(allowed).toBe(false);
      expect(message).toContain("metadata.annotations[konductor.io/forget]: Invalid value:");
    },
  );

  test("may be removed, and changes nothing while it stays", () => {
    const stored = { "konductor.io/forget": '{"key":"seed","token":7,"by":"bob"}' };
    for (const sent of [stored, {}])
      expect(admit("UPDATE", leaseWith(sent, { status }), leaseWith(stored, { status }))).toMatchObject({
        allowed: true,
        patch: [],
      });
  });
});

describe("a klease from a manifest", () => {
  test("carries over what is done by its status, which the API server drops", () => {
    const { patch, warnings } = admit("CREATE", leaseWith({}, { status }));
    const restored = patch.map(record).find(({ path }) => String(path).includes("done"));
    expect(record(parseJson(String(restored?.["value"])))).toEqual({ token: 12, done: DONE });
    expect(warnings).toEqual(["what was done under klease schema counts as done: schema-v42"]);
  });

  test("says how many entries of its list it does not carry over", () => {
    const wrong = { ...DONE[0], key: "seed", holder: "h".repeat(254) };
    const create = (done: object[]) =>
      admit("CREATE", leaseWith({}, { status: { ...status, done } })).warnings;
    expect(create([...DONE, wrong])).toEqual([
      "what was done under klease schema counts as done: schema-v42; entries of status.done that were ignored, as too many or wrong: 1",
    ]);
    const long = Array.from({ length: 32 }, (_, index) => ({
      ...{ ...DONE[0], key: `key-${index}`, holder: "h".repeat(253) },
    }));
    // 25 of them fit.
    expect(create(long)).toEqual([
      "what was done under klease schema counts as done: key-0, key-1, key-2, key-3, key-4 and 20 more; entries of status.done that were " +
        "ignored, as too many or wrong: 7",
    ]);
  });

  test("has its status ignored, with a warning, if nothing in it counts", () => {
    for (const ignored of [{ phase: "Held" }, { ...status, done: [] }])
      expect(admit("CREATE", leaseWith({}, { status: ignored })).warnings).toEqual([
        "status of klease schema was ignored: konductor alone writes it; leave it out of the manifest",
      ]);
    expect(admit("CREATE", leaseWith({ "konductor.io/done": "{}" })).warnings).toBeUndefined();
  });

  test("brings no annotation of its own", () => {
    const { patch } = admit(
      "CREATE",
      leaseWith({ "konductor.io/done": "{}", "konductor.io/forget": "seed" }),
    );
    expect(patch.map((change) => record(change)["op"])).toEqual(["remove", "remove"]);
  });
});

test("whoever deletes a klease is told what it forgets", () => {
  const { allowed, warnings } = admit("DELETE", undefined, leaseWith({}, { status }));
  expect(allowed).toBe(true);
  expect(warnings).toEqual([
    "klease schema forgets that schema-v42 is done: under a new klease of this name that work is done again. To keep the list, save the " +
      "klease (kubectl get klease schema -o yaml), and create it again from that",
  ]);
  expect(admit("DELETE", undefined, leaseWith({}, { status: { phase: "Available" } }))).toMatchObject({
    allowed: true,
    warnings: undefined,
  });
});

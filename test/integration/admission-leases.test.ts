/** What people may do to a Lease's status and to konductor's annotations on it: release the Lease by force, and nothing else. */
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { parseLease } from "../../src/lease/codec.ts";
import { record, textMap } from "../../src/shared/json.ts";
import {
  DONE_ANNOTATION,
  FORCE_RELEASE_ANNOTATION,
  FORGET_ANNOTATION,
  PAUSE_ANNOTATION,
} from "../../src/shared/names.ts";
import { waitFor } from "../cluster/wait.ts";
import { IN_NAMESPACE, objectOf, type Stage, startStage } from "./admission-clients.ts";
import { WEBHOOKS_NAME } from "./admission-server.ts";

const FREE = { phase: "Available", holder: "" };
const NOW = { annotations: { [FORCE_RELEASE_ANNOTATION]: '{"now":true}' } };

let stage: Stage;
beforeAll(async () => {
  stage = await startStage(inject("cluster"));
});
afterAll(() => stage?.stop());

async function createHeld(name: string): Promise<void> {
  await stage.send(objectOf("Lease", name, { ttl: "1m" }), "create");
  await writeStatus(name, {
    phase: "Held",
    holder: "report-1",
    holderRef: { kind: "Pod", name: "report-1", uid: "u" },
    acquired: "2026-01-01T00:00:00Z",
    expires: "2026-01-01T00:01:00Z",
    fencingToken: 7,
  });
}
const endHold = (name: string) => writeStatus(name, { phase: "Available", holder: null, holderRef: null });
const writeStatus = (name: string, status: object) =>
  stage.patch(`klease/${name}`, { status }, "--subresource=status");
const annotationOf = async (name: string) =>
  textMap((await stage.read(`klease/${name}`)).metadata["annotations"])[FORCE_RELEASE_ANNOTATION];

test("is released by force with the right to patch Leases, under the user's name", async () => {
  await createHeld("stuck");
  const held = (await stage.read("klease/stuck")).object["status"];
  await stage.patch("klease/stuck", { status: FREE }, "--as=pat");
  expect(await annotationOf("stuck")).toBe('{"token":7,"by":"pat","now":false}');
  await stage.patch("klease/stuck", { status: FREE, metadata: NOW }, "--as=ada");
  expect(await annotationOf("stuck")).toBe('{"token":7,"by":"ada","now":true}');
  // konductor does the rest.
  expect((await stage.read("klease/stuck")).object["status"]).toEqual(held);
});

test("is not released if nobody holds it, with a warning", async () => {
  await createHeld("unheld");
  await endHold("unheld");
  const change = { status: FREE, metadata: NOW };
  await expect(stage.patch("klease/unheld", change, "--as=pat", "--warnings-as-errors")).rejects.toThrow(
    "Warning: nobody holds klease unheld",
  );
  expect(await annotationOf("unheld")).toBeUndefined();
});

test("takes no other change of status", async () => {
  await createHeld("kept");
  for (const status of [
    { holder: "me" },
    { holder: "" },
    { phase: "Available" },
    { ...FREE, phase: "Expired" },
    { ...FREE, fencingToken: 1 },
    { expires: "2500-01-01T00:00:00Z" },
  ]) {
    await expect(stage.patch("klease/kept", { status }, "--as=ada")).rejects.toThrow(
      "status of klease kept is written by konductor alone; leave it out, or free the klease by " +
        `kubectl patch klease kept --type=merge -p '{"status":{"phase":"Available","holder":""}}'`,
    );
  }
});

test("has its annotation of a forced release written by konductor alone", async () => {
  const forged = `${FORCE_RELEASE_ANNOTATION}={"token":7,"by":"bob","now":true}`;
  const refusal = `metadata.annotations[${FORCE_RELEASE_ANNOTATION}] is written by konductor alone`;
  const annotate = (change: string) =>
    stage.kubectl("annotate", "klease/taken", change, "--overwrite", IN_NAMESPACE, "--as=ada");
  await createHeld("taken");
  await expect(annotate(forged)).rejects.toThrow(refusal);
  await stage.patch("klease/taken", { status: FREE }, "--as=ada");
  await expect(annotate(forged)).rejects.toThrow(refusal);
  await expect(annotate(`${FORCE_RELEASE_ANNOTATION}-`)).rejects.toThrow(refusal);
  await stage.send(objectOf("Lease", "new", { ttl: "1m" }, NOW), "create");
  expect(await annotationOf("new")).toBeUndefined();
  // Once the hold is over, the annotation may be removed: it has no effect any more.
  await endHold("taken");
  await annotate(`${FORCE_RELEASE_ANNOTATION}-`);
});

test.each([
  ["no version", null, "must be specified for an update"],
  ["another version", "1", "the object has been modified"],
])("cannot be changed with %s", async (_what, resourceVersion, refusal) => {
  const name = `versions-${String(resourceVersion)}`;
  await createHeld(name);
  const metadata = { resourceVersion, ...NOW };
  await expect(stage.patch(`klease/${name}`, { metadata }, "--as=ada")).rejects.toThrow(refusal);
  await expect(stage.patch(`klease/${name}`, { metadata, status: FREE }, "--as=ada")).rejects.toThrow(
    refusal,
  );
});

test("has no forged annotation, however the resourceVersion is spelt", async () => {
  await createHeld("spelt");
  const { metadata } = await stage.read("klease/spelt");
  const change = {
    resourceVersion: `00${metadata["resourceVersion"]}`,
    annotations: { [FORCE_RELEASE_ANNOTATION]: '{"token":8,"by":"bob","now":true}' },
  };
  await expect(stage.patch("klease/spelt", { metadata: change }, "--as=ada")).rejects.toThrow(
    `metadata.annotations[${FORCE_RELEASE_ANNOTATION}] is written by konductor alone`,
  );
  expect(await annotationOf("spelt")).toBeUndefined();
});

test("answers a change of an older version with a conflict", async () => {
  await createHeld("stale");
  const { object } = await stage.read("klease/stale");
  await endHold("stale");
  await expect(stage.send(object, "replace", "--as=ada")).rejects.toThrow("the object has been modified");
});

test("has the status in its manifest ignored at creation, and refused later", async () => {
  const status = { holder: "pod-xyz-123", phase: "Held", expires: "2024-01-15T10:40:00Z" };
  const manifest = objectOf("Lease", "db-migration", { ttl: "10m", priority: 1 });
  const apply = (object: object, ...args: string[]) => stage.send(object, "apply", "--as=ada", ...args);
  await apply({ ...manifest, status });
  await expect(apply({ ...manifest, status })).rejects.toThrow("status of klease db-migration is written by");
  await apply(manifest, "--warnings-as-errors");
  await expect(
    stage.send({ ...manifest, status, metadata: { name: "again" } }, "create", "--warnings-as-errors"),
  ).rejects.toThrow("Warning: status of klease again was ignored");
});

test("says who has paused it, and when, by the API server's word alone", async () => {
  const pauseOf = async () =>
    textMap((await stage.read("klease/paused")).metadata["annotations"])[PAUSE_ANNOTATION];
  const forged = { annotations: { [PAUSE_ANNOTATION]: '{"by":"bob","since":"2020-01-01T00:00:00Z"}' } };
  const byAda = expect.stringMatching(/^\{"by":"ada","since":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"\}$/);
  await stage.send(objectOf("Lease", "paused", { ttl: "1m", paused: true }, forged), "create", "--as=ada");
  const created = await pauseOf();
  expect(created).toEqual(byAda);
  // Neither another reason nor a forged annotation changes who began it.
  await stage.patch("klease/paused", { spec: { pauseReason: "repairs" }, metadata: forged }, "--as=pat");
  expect(await pauseOf()).toBe(created);
  await stage.patch("klease/paused", { spec: { paused: false } }, "--as=pat");
  expect(await pauseOf()).toBeUndefined();
  await stage.patch("klease/paused", { metadata: forged }, "--as=pat");
  expect(await pauseOf()).toBeUndefined();
  await stage.patch("klease/paused", { spec: { paused: true } }, "--as=pat");
  expect(await pauseOf()).toContain('"by":"pat"');
});

test("can be released by force and paused in one write", async () => {
  await createHeld("both");
  await stage.patch("klease/both", { status: FREE, spec: { paused: true } }, "--as=ada");
  const { metadata } = await stage.read("klease/both");
  expect(textMap(metadata["annotations"])).toMatchObject({
    [FORCE_RELEASE_ANNOTATION]: '{"token":7,"by":"ada","now":false}',
    [PAUSE_ANNOTATION]: expect.stringContaining('"by":"ada"'),
  });
});

// The last test: it takes the webhook away.
describe("work that is done under it", () => {
  const DONE = { key: "v42", holder: "first", token: 5, time: "2026-01-01T00:00:00Z" };
  const doneIn = (name: string, done: object[] = [DONE]) =>
    writeStatus(name, { phase: "Available", fencingToken: 7, done });
  const create = async (name: string, done?: object[]) => {
    await stage.send(objectOf("Lease", name, { ttl: "1m" }), "create");
    await doneIn(name, done);
  };
  const annotations = async (name: string) =>
    textMap((await stage.read(`klease/${name}`)).metadata["annotations"]);
  const forget = (name: string, value: string, ...args: string[]) =>
    stage.kubectl(
      "annotate",
      `klease/${name}`,
      `${FORGET_ANNOTATION}=${value}`,
      "--overwrite",
      IN_NAMESPACE,
      ...args,
    );

  test("is forgotten with the right to patch Leases, under the user's name, and nobody's else", async () => {
    await create("forgets");
    await expect(forget("forgets", "v42", "--as=eve")).rejects.toThrow("Forbidden");
    await forget("forgets", "v42", "--as=pat");
    expect((await annotations("forgets"))[FORGET_ANNOTATION]).toBe('{"key":"v42","token":5,"by":"pat"}');
    // konductor does the rest.
    const { object } = await stage.read("klease/forgets");
    expect(parseLease(object).status.done).toEqual([]);
    await expect(forget("forgets", '{"key":"v42","token":99,"by":"bob"}', "--as=ada")).rejects.toThrow(
      `metadata.annotations[${FORGET_ANNOTATION}]: Invalid value`,
    );
    await expect(forget("forgets", "v43", "--as=ada")).rejects.toThrow(
      'konductor has not taken over yet that "v42" is forgotten; try again in a moment',
    );
    await create("unasked");
    await expect(
      stage.patch(
        "klease/unasked",
        { metadata: { annotations: { [FORGET_ANNOTATION]: "v43" } } },
        "--as=ada",
        "--warnings-as-errors",
      ),
    ).rejects.toThrow('Warning: klease unasked remembers no work "v43"');
  });

  test("is listed at most 32 times, each key once", async () => {
    await create("many");
    const many = (count: number, key = (index: number) => `k${index}`) =>
      Array.from({ length: count }, (_, index) => ({ ...DONE, key: key(index) }));
    await doneIn("many", many(32));
    await expect(doneIn("many", many(33))).rejects.toThrow("must have at most 32 items");
    await expect(
      doneIn(
        "many",
        many(2, () => "same"),
      ),
    ).rejects.toThrow("Duplicate value");
  });

  test("is warned of when the Lease is deleted, and carried over when it is created again from its manifest", async () => {
    await create("backed-up");
    const { object } = await stage.read("klease/backed-up");
    const remove = (...args: string[]) =>
      stage.kubectl("delete", "klease/backed-up", IN_NAMESPACE, "--as=ada", ...args);
    // kubectl has sent the deletion by then.
    await expect(remove("--warnings-as-errors")).rejects.toThrow(
      "Warning: klease backed-up forgets that v42 is done",
    );
    const { resourceVersion: _, uid: __, ...metadata } = record(object["metadata"]);
    const saved = { ...object, metadata };
    await expect(stage.send(saved, "create", "--as=ada", "--warnings-as-errors")).rejects.toThrow(
      "Warning: what was done under klease backed-up counts as done: v42",
    );
    const created = parseLease((await stage.read("klease/backed-up")).object);
    expect(created).toMatchObject({
      status: { done: [{ key: "v42", holder: "first", token: 5 }] },
      restoredToken: 7,
      isDoneOutdated: true,
    });
    expect(created.status.lastToken).toBeUndefined();
  });

  test("is not said by an annotation that anybody writes later; what was carried over stays, or is removed", async () => {
    const say = (name: string, value: string | null) =>
      stage.patch(`klease/${name}`, { metadata: { annotations: { [DONE_ANNOTATION]: value } } }, "--as=ada");
    const forged = JSON.stringify({ token: 9, done: [{ ...DONE, key: "v43" }] });
    const refusal = `metadata.annotations[${DONE_ANNOTATION}] is written by konductor alone`;
    await stage.send(objectOf("Lease", "fresh", { ttl: "1m" }), "create");
    await expect(say("fresh", forged)).rejects.toThrow(refusal);
    await expect(say("fresh", "")).rejects.toThrow(refusal);
    const manifest = { ...objectOf("Lease", "restored", { ttl: "1m" }), status: { done: [DONE] } };
    await stage.send(manifest, "create", "--as=ada");
    const written = (await annotations("restored"))[DONE_ANNOTATION] ?? "none";
    expect(written).toContain('"key":"v42"');
    await expect(say("restored", forged)).rejects.toThrow(refusal);
    await stage.patch("klease/restored", { spec: { ttl: "2m" } }, "--as=ada");
    await say("restored", written);
    await say("restored", null);
    await expect(say("restored", written)).rejects.toThrow(refusal);
  });

  test("is nothing to be warned of where nothing is done", async () => {
    await create("plain", []);
    await stage.kubectl("delete", "klease/plain", IN_NAMESPACE, "--as=ada", "--warnings-as-errors");
  });
});

test("has only an annotation that konductor's webhook would write, even without that webhook", async () => {
  await createHeld("unguarded");
  const say = (word: object | null) => {
    const value = word && JSON.stringify(word);
    const metadata = { annotations: { [FORCE_RELEASE_ANNOTATION]: value } };
    return stage.patch("klease/unguarded", { metadata }, "--as=ada");
  };
  await stage.kubectl("delete", "mutatingwebhookconfiguration", WEBHOOKS_NAME);
  await waitFor({
    what: "the webhook to be out of force",
    withinMs: 30_000,
    async holds() {
      await say({ token: 7, by: "ada", now: false });
      return true;
    },
  });
  const refusal = "koncli lease release --force";
  for (const word of [
    { token: 8, by: "ada", now: false },
    { token: 7, by: "bob", now: false },
    { token: 7, by: "ada", now: false, more: 1 },
    null,
  ])
    await expect(say(word), JSON.stringify(word)).rejects.toThrow(refusal);
  await endHold("unguarded");
  await say(null);
  const metadata = { annotations: { [FORCE_RELEASE_ANNOTATION]: '{"token":7,"by":"ada","now":true}' } };
  await expect(
    stage.send(objectOf("Lease", "exported", { ttl: "1m" }, metadata), "create", "--as=ada"),
  ).rejects.toThrow(refusal);
});

test("is not made to forget in another's name, even without that webhook", async () => {
  await stage.send(objectOf("Lease", "unhooked", { ttl: "1m" }), "create");
  const done = [{ key: "v42", holder: "first", token: 5, time: "2026-01-01T00:00:00Z" }];
  await writeStatus("unhooked", { phase: "Available", fencingToken: 7, done });
  const say = (value: string) =>
    stage.patch("klease/unhooked", { metadata: { annotations: { [FORGET_ANNOTATION]: value } } }, "--as=ada");
  for (const value of [
    '{"key":"v42","token":5,"by":"bob"}',
    '{"key":"v42","token":99,"by":"ada"}',
    '{"key":"v43","token":5,"by":"ada"}',
    "v42",
  ])
    await expect(say(value), value).rejects.toThrow("whose webhook did not see this");
  await say('{"key":"v42","token":5,"by":"ada"}');
});

test("is paused in nobody else's name, even without that webhook", async () => {
  const by = (who: string, since = "2026-01-01T00:00:00Z") => `{"by":"${who}","since":"${since}"}`;
  const say = (paused: boolean | null, value?: string | null, as = "ada") => {
    const metadata = value === undefined ? {} : { annotations: { [PAUSE_ANNOTATION]: value } };
    return stage.patch("klease/rested", { spec: { paused }, metadata }, `--as=${as}`);
  };
  const refusal = "names another pause, and is written by konductor alone";
  await stage.send(objectOf("Lease", "rested", { ttl: "1m" }), "create");
  for (const value of [by("pat"), by("ada", 'x","by":"pat'), by("ada", "2026"), "ada"])
    await expect(say(true, value), value).rejects.toThrow(refusal);
  await expect(say(null, by("ada")), "not paused").rejects.toThrow(refusal);
  await say(true, by("ada"));
  for (const value of [by("pat"), by("ada", "2026-01-02T00:00:00Z")])
    await expect(say(true, value), value).rejects.toThrow(refusal);
  // Who resumes it and who pauses it again need not be the same, so an earlier name does not stay.
  await say(null, undefined, "pat");
  await expect(say(true, undefined, "pat")).rejects.toThrow(refusal);
  await expect(say(true, undefined, "ada")).rejects.toThrow(refusal);
  await say(true, null, "pat");
  await expect(say(true, by("pat"), "pat")).rejects.toThrow(refusal);
  const exported = (who: string) =>
    objectOf(
      "Lease",
      `paused-by-${who}`,
      { ttl: "1m", paused: true },
      { annotations: { [PAUSE_ANNOTATION]: by(who) } },
    );
  await expect(stage.send(exported("pat"), "create", "--as=ada")).rejects.toThrow(refusal);
  await stage.send(exported("ada"), "create", "--as=ada");
});

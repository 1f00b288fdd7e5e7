/** konductor's marks on others' objects, including repeated calls of our webhook for the same request. */
import jsonPatch from "fast-json-patch";
import { describe, expect, it } from "vitest";
import { parseJob } from "../../../src/lease/job.ts";
import { injectPod } from "../../../src/server/admission/inject.ts";
import { mutate } from "../../../src/server/admission/mutate.ts";
import type { CronJob, Metadata, TemplateOwner } from "../../../src/server/admission/objects.ts";
import { planPod } from "../../../src/server/admission/plan.ts";
import { record } from "../../../src/shared/json.ts";
import { accountName } from "../../../src/shared/names.ts";
import {
  ALONE,
  contextWith,
  cronJobWith,
  INJECTION,
  marked,
  NAMESPACE,
  ownerWith,
  podWith,
  requestWith,
} from "./fixtures.ts";

type Marked = TemplateOwner | CronJob;

const WHOLE = { gate: "job" };
const ALL = { suspended: "true", resumed: "41", propagated: "{}", injected: "0.0.9" };

/** `object` as the API server stores it when a client sends it: the client's manager owns what it changed of `old`. */
function sent<T extends Marked>(object: T, old?: Marked): T {
  const { annotations = {} } = object.metadata ?? {};
  const changed = Object.keys(annotations).filter(
    (name) => annotations[name] !== old?.metadata?.annotations?.[name],
  );
  const owned = Object.fromEntries(changed.map((name) => [`f:${name}`, {}]));
  const fieldsV1 = {
    "f:metadata": { "f:annotations": { ".": {}, ...owned } },
    "f:spec": { "f:suspend": {} },
  };
  return {
    ...object,
    metadata: { ...object.metadata, managedFields: [{ manager: "kubectl-create", fieldsV1 }] },
  };
}

/** What is stored after `passes` calls of our webhook, and what the client was told. */
function store(
  kind: "Job" | "CronJob",
  object: Marked,
  { old, username = "alice", passes = 2 }: Options = {},
) {
  let current: unknown = object;
  const told = new Set<string>();
  for (let pass = 0; pass < passes; pass++) {
    const request = { kind: `batch/${kind}`, operation: old ? "UPDATE" : "CREATE", username };
    const answer = mutate(requestWith({ ...request, object: current, oldObject: old }), contextWith());
    expect(answer.allowed).toBe(true);
    for (const warning of answer.warnings ?? []) told.add(warning);
    const patch = JSON.parse(Buffer.from(answer.patch ?? "W10=", "base64").toString());
    current = jsonPatch.applyPatch(structuredClone(current), patch).newDocument;
  }
  const { metadata, spec } = record(current);
  return {
    annotations: record(record(metadata)["annotations"]),
    metadata: record(metadata),
    spec: record(spec),
    told: [...told],
  };
}
interface Options {
  old?: Marked;
  username?: string;
  passes?: number;
}

const ignored = (name: string) =>
  `metadata.annotations[konductor.io/${name}] was ignored: konductor alone writes it; leave it out of the manifest`;
const bare = (metadata: Metadata = {}) => record(metadata.annotations);

describe("a Job at its creation", () => {
  it.each([1, 2, 3])("loses all marks that its manifest brought along, after %i calls", (passes) => {
    const { annotations, told } = store("Job", sent(ownerWith(marked({ ttl: "1h", ...ALL }))), { passes });
    expect(annotations).toEqual(bare(marked({ ttl: "1h" })));
    expect(told).toEqual(["injected", "propagated", "suspended", "resumed"].map(ignored));
  });

  it.each([1, 2, 3])("that waits as a whole is marked as suspended by us alone, after %i calls", (passes) => {
    const { annotations, spec } = store("Job", sent(ownerWith(marked({ ...WHOLE, ...ALL }))), { passes });
    expect(annotations).toEqual(bare(marked({ ...WHOLE, suspended: "true" })));
    expect(spec["suspend"]).toBe(true);
  });

  it.each([1, 2, 3])(
    "from an export of a waiting Job stays its user's to resume, after %i calls",
    (passes) => {
      const exported = ownerWith(marked({ ...WHOLE, suspended: "true" }), marked(WHOLE), { suspend: true });
      const { annotations, spec, told } = store("Job", sent(exported), { passes });
      expect(annotations).toEqual(bare(marked(WHOLE)));
      expect(spec["suspend"]).toBe(true);
      expect(told).toEqual([
        ignored("suspended"),
        "spec.suspend: true counts as yours: the Job waits for its klease once you set it to false",
      ]);
    },
  );

  it("has no field manager that owns our marks", () => {
    const { metadata } = store("Job", sent(ownerWith(marked({ ...WHOLE, ...ALL }))));
    expect(JSON.stringify(metadata["managedFields"])).not.toMatch(/suspended|resumed|injected|propagated/);
    expect(JSON.stringify(metadata["managedFields"])).toContain("f:konductor.io/gate");
  });
});

describe("an existing Job", () => {
  const waiting = ownerWith(marked({ ...WHOLE, suspended: "true", resumed: "41" }), marked(WHOLE), {
    suspend: true,
  });
  const paused = ownerWith(marked(WHOLE), marked(WHOLE), { suspend: true });
  const changed = (old: TemplateOwner, annotations: Record<string, string>, spec: object = {}) =>
    sent({ ...old, metadata: marked(annotations), spec: { ...old.spec, ...spec } }, old);

  it.each<[string, TemplateOwner, Record<string, string>, string[]]>([
    ["added", paused, { ...WHOLE, ...ALL }, ["injected", "propagated", "suspended", "resumed"].map(ignored)],
    ["changed", waiting, { ...WHOLE, suspended: "no", resumed: "9" }, ["suspended", "resumed"].map(ignored)],
    ["removed", waiting, WHOLE, []],
  ])("keeps its marks if a client sends some %s", (_, old, annotations, warnings) => {
    for (const passes of [1, 2, 3]) {
      const stored = store("Job", changed(old, annotations), { old, passes });
      expect(stored.annotations).toEqual(bare(old.metadata));
      expect(stored.spec["suspend"]).toBe(true);
      expect(stored.told).toEqual(warnings);
    }
  });

  it.each([1, 2, 3])("is marked by us when its user resumes it, after %i calls", (passes) => {
    const { annotations, spec } = store("Job", changed(paused, WHOLE, { suspend: false }), {
      old: paused,
      passes,
    });
    expect(annotations).toEqual(bare(marked({ ...WHOLE, suspended: "true" })));
    expect(spec["suspend"]).toBe(true);
  });

  it("may be marked by konductor", () => {
    const username = accountName("konductor-system");
    const resumed = changed(waiting, { ...WHOLE, resumed: "42" }, { suspend: false });
    const stored = store("Job", resumed, { old: waiting, username });
    expect(stored.annotations).toEqual(bare(resumed.metadata));
    expect(stored.spec["suspend"]).toBe(false);
  });
});

it("an annotation in a Job's template is no mark", () => {
  const job = ownerWith(marked(WHOLE), marked({ ...WHOLE, ...ALL }), { suspend: true });
  expect(parseJob(job)).toMatchObject({ marked: false, resumed: false });
});

describe("a CronJob", () => {
  const put = JSON.stringify({ labels: { "konductor.io/lease": "nightly" }, annotations: {} });
  const recorded = cronJobWith(marked({ propagated: put }), marked());
  const templateOf = (spec: Record<string, unknown>) =>
    (spec as CronJob["spec"]).jobTemplate.spec.template.metadata;

  it("cannot claim at creation that something in its template is ours", () => {
    const forged = sent(cronJobWith({ annotations: { "konductor.io/propagated": put } }, marked()));
    const { annotations, spec, told } = store("CronJob", forged);
    expect(annotations).toEqual({});
    expect(templateOf(spec)).toEqual(marked());
    expect(told).toEqual([ignored("propagated")]);
  });

  it("carries our record, however often we are called", () => {
    for (const passes of [1, 2, 3]) {
      const { annotations, told } = store("CronJob", sent(cronJobWith(marked())), { passes });
      expect(annotations).toEqual({ "konductor.io/propagated": put });
      expect(told).toEqual([]);
    }
  });

  it.each<[string, Metadata, string[]]>([
    [
      "changed",
      marked({ propagated: "{}", suspended: "true" }),
      [ignored("propagated"), ignored("suspended")],
    ],
    ["removed", marked(), []],
  ])("keeps our record if a client sends it %s", (_, metadata, warnings) => {
    const { annotations, spec, told } = store("CronJob", sent(cronJobWith(metadata, marked()), recorded), {
      old: recorded,
    });
    expect(annotations).toEqual({ "konductor.io/propagated": put });
    expect(templateOf(spec)).toEqual(marked());
    expect(told).toEqual(warnings);
  });

  it("follows its label even after somebody tried to change our record", () => {
    const forged = sent(cronJobWith(marked({ propagated: "{}" }), marked()), recorded);
    const { metadata } = store("CronJob", forged, { old: recorded });
    const old = { ...recorded, metadata };
    const relabelled = { ...old, metadata: { ...metadata, ...marked({ propagated: put }, "weekly") } };
    const { annotations, spec } = store("CronJob", relabelled, { old });
    expect(annotations).toEqual({ "konductor.io/propagated": put.replace("nightly", "weekly") });
    expect(templateOf(spec)).toEqual(marked({}, "weekly"));
  });

  it("keeps the label in the template of a manifest that replaces it", () => {
    const replaced = sent(cronJobWith({}, marked()), recorded);
    const { annotations, spec } = store("CronJob", replaced, { old: recorded });
    expect(annotations).toEqual({});
    expect(templateOf(spec)).toEqual(marked());
  });
});

it("a pod keeps only the mark that we set", () => {
  const pod = podWith({}, marked({ ...ALL, ttl: "1h" }));
  const injected = injectPod(pod, planPod(pod, NAMESPACE, contextWith(), ALONE), INJECTION);
  const marks = Object.entries(injected.metadata?.annotations ?? {}).filter(([name]) =>
    name.startsWith("konductor.io/"),
  );
  expect(Object.fromEntries(marks)).toEqual(bare(marked({ injected: "0.1.0", ttl: "1h" })));
});

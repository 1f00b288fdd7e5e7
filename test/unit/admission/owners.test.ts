import { describe, expect, it } from "vitest";
import type { CronJob, Metadata } from "../../../src/server/admission/objects.ts";
import { createJob, mutateCronJob, warnJob, warnOwner } from "../../../src/server/admission/owners.ts";
import { diff } from "../../../src/server/admission/patch.ts";
import { contextWith, cronJobWith, marked, NAMESPACE, ownerWith } from "./fixtures.ts";

const CONTEXT = contextWith();

describe("createJob", () => {
  const create = (metadata: Metadata, template?: Metadata, spec = {}) =>
    createJob(ownerWith(metadata, template, spec), NAMESPACE, CONTEXT);

  it("copies the label and our annotations to the template, and nothing else", () => {
    const metadata = {
      labels: { "konductor.io/lease": "nightly", app: "x" },
      annotations: { "konductor.io/ttl": "1h", "example.org/note": "y" },
    };
    const { object, warnings } = create(metadata, { labels: { tier: "batch" } });
    expect(object.spec.template.metadata).toEqual({
      labels: { tier: "batch", "konductor.io/lease": "nightly" },
      annotations: { "konductor.io/ttl": "1h" },
    });
    expect(object.metadata).toEqual(metadata);
    expect(warnings).toEqual([]);
  });

  it("is idempotent", () => {
    const { object } = create(marked({ ttl: "1h" }));
    expect(diff(object, createJob(object, NAMESPACE, CONTEXT).object)).toEqual([]);
  });

  it("checks but does not change a Job whose template alone is labelled", () => {
    const job = ownerWith({}, marked());
    expect(diff(job, createJob(job, NAMESPACE, CONTEXT).object)).toEqual([]);
    expect(() => create({}, marked({ ttl: "1" }))).toThrow(
      /^spec\.template\.metadata\.annotations\[konductor\.io\/ttl\]: /,
    );
  });

  it("does not copy annotations without a label", () => {
    const job = ownerWith({ annotations: { "konductor.io/ttl": "1h" } });
    expect(diff(job, createJob(job, NAMESPACE, CONTEXT).object)).toEqual([]);
  });

  it.each<[string, Metadata, Metadata, RegExp]>([
    [
      "a bad annotation where it was written",
      marked({ ttl: "10" }),
      {},
      /^metadata\.annotations\[konductor\.io\/ttl\]: /,
    ],
    [
      "two leases",
      marked(),
      marked({}, "other"),
      /^spec\.template\.metadata\.labels\[konductor\.io\/lease\]: Invalid value: "other": metadata\.labels\[konductor\.io\/lease\] is "nightly", and only/,
    ],
    [
      "two ttls",
      marked({ ttl: "1h" }),
      marked({ ttl: "2h" }),
      /^spec\.template\.metadata\.annotations\[konductor\.io\/ttl\]: .*"1h"/,
    ],
  ])("refuses %s", (_name, metadata, template, sentence) => {
    expect(() => create(metadata, template)).toThrow(sentence);
  });

  it("warns that waiting counts against the Job's deadline", () => {
    expect(create(marked(), {}, { activeDeadlineSeconds: 5 }).warnings).toEqual([
      expect.stringMatching(/^spec\.activeDeadlineSeconds: waiting for the klease counts against these 5s/),
    ]);
    expect(create({}, {}, { activeDeadlineSeconds: 5 }).warnings).toEqual([]);
    expect(create(marked({ gate: "job" }), {}, { activeDeadlineSeconds: 5 }).warnings).toEqual([]);
  });
});

describe("warnJob", () => {
  it.each<[string, Metadata, Metadata, Metadata, RegExp | undefined]>([
    ["unchanged", marked(), marked(), marked(), undefined],
    ["unlabelled", {}, {}, {}, undefined],
    [
      "labelled too late",
      marked(),
      {},
      {},
      /^konductor\.io\/lease was changed, but konductor reads the Job's pod template/,
    ],
    ["another lease", marked({}, "b"), marked({}, "a"), marked({}, "a"), /^konductor\.io\/lease was changed/],
    [
      "another ttl",
      marked({ ttl: "2h" }),
      marked({ ttl: "1h" }),
      marked({ ttl: "1h" }),
      /^konductor\.io\/ttl was changed/,
    ],
    ["label removed", {}, marked(), marked(), /^konductor\.io\/lease was changed/],
    ["label on the template only", {}, {}, marked(), undefined],
  ])("%s", (_name, metadata, old, template, warning) => {
    const warnings = warnJob(ownerWith(metadata, template), ownerWith(old, template));
    expect(warnings).toEqual(warning ? [expect.stringMatching(warning)] : []);
  });
});

describe("mutateCronJob", () => {
  const templateOf = (cronJob: CronJob) => cronJob.spec.jobTemplate.spec.template.metadata;
  const mutate = (cronJob: CronJob) => mutateCronJob(cronJob, NAMESPACE, CONTEXT).object;
  const relabelled = (cronJob: CronJob, metadata: Metadata): CronJob => ({
    ...cronJob,
    metadata: { ...metadata, annotations: { ...propagatedOf(cronJob), ...metadata.annotations } },
  });
  const propagatedOf = ({ metadata }: CronJob) => {
    const record = metadata?.annotations?.["konductor.io/propagated"];
    return record === undefined ? {} : { "konductor.io/propagated": record };
  };

  it("copies to the template and keeps a record", () => {
    const cronJob = mutate(cronJobWith(marked({ ttl: "1h" })));
    expect(templateOf(cronJob)).toEqual(marked({ ttl: "1h" }));
    expect(propagatedOf(cronJob)).toEqual({
      "konductor.io/propagated":
        '{"labels":{"konductor.io/lease":"nightly"},"annotations":{"konductor.io/ttl":"1h"}}',
    });
    expect(diff(cronJob, mutate(cronJob))).toEqual([]);
  });

  it("follows changes of label and annotations", () => {
    const first = mutate(cronJobWith(marked({ ttl: "1h", priority: "3" }), { labels: { app: "x" } }));
    const second = mutate(relabelled(first, marked({ ttl: "2h" }, "weekly")));
    expect(templateOf(second)).toEqual({
      labels: { app: "x", "konductor.io/lease": "weekly" },
      annotations: { "konductor.io/ttl": "2h" },
    });
  });

  it("removes everything from the template when the label is removed", () => {
    const first = mutate(cronJobWith(marked({ ttl: "1h" }), { labels: { app: "x" } }));
    const second = mutate(relabelled(first, {}));
    expect(templateOf(second)).toEqual({ labels: { app: "x" }, annotations: {} });
    expect(propagatedOf(second)).toEqual({});
  });

  it("never removes what the user wrote into the template", () => {
    const first = mutate(cronJobWith(marked({ ttl: "1h" }), marked({ ttl: "1h" })));
    expect(propagatedOf(first)).toEqual({});
    expect(templateOf(mutate(relabelled(first, {})))).toEqual(marked({ ttl: "1h" }));
  });

  it("keeps what the user changed since", () => {
    const first = mutate(cronJobWith(marked({ ttl: "1h" })));
    const edited = relabelled(first, {});
    edited.spec.jobTemplate.spec.template = {
      ...edited.spec.jobTemplate.spec.template,
      metadata: marked({ ttl: "2h" }),
    };
    expect(templateOf(mutate(edited))).toEqual({ labels: {}, annotations: { "konductor.io/ttl": "2h" } });
  });

  const TEMPLATE_FIELDS = {
    "f:spec": {
      "f:jobTemplate": {
        "f:spec": { "f:template": { "f:metadata": { "f:labels": { "f:konductor.io/lease": {} } } } },
      },
    },
  };

  it.each<[string, Metadata]>([
    [
      "kubectl apply",
      {
        annotations: {
          "kubectl.kubernetes.io/last-applied-configuration": JSON.stringify(cronJobWith({}, marked())),
        },
      },
    ],
    ["a field manager", { managedFields: [{ manager: "me", fieldsV1: TEMPLATE_FIELDS }] }],
  ])("keeps a label that moved from the CronJob into its template, as shown by %s", (_name, metadata) => {
    const first = mutate(cronJobWith(marked()));
    const moved = relabelled(first, metadata);
    const { object, warnings } = mutateCronJob(moved, NAMESPACE, CONTEXT);
    expect(templateOf(object)).toEqual(marked());
    expect(propagatedOf(object)).toEqual({});
    expect(warnings).toEqual([]);
  });

  it("warns about what it removes", () => {
    const first = mutate(cronJobWith(marked()));
    expect(mutateCronJob(relabelled(first, {}), NAMESPACE, CONTEXT).warnings).toEqual([
      expect.stringMatching(
        /^spec\.jobTemplate\.spec\.template\.metadata\.labels\[konductor\.io\/lease\] was withdrawn/,
      ),
    ]);
  });

  it("restores the record that a server-side apply dropped, and lets other clients remove it", () => {
    const first = mutate(cronJobWith(marked()));
    const sent = (operation: string) => {
      const cronJob = { ...first, metadata: { managedFields: [{ manager: "me", operation, fieldsV1: {} }] } };
      return templateOf(mutateCronJob(cronJob, NAMESPACE, CONTEXT, first).object);
    };
    expect(sent("Apply")).toEqual({ labels: {} });
    expect(sent("Update")).toEqual(marked());
  });

  it.each(["{", "[]", '{"labels":3}', "null"])("treats the damaged record %j as none", (record) => {
    const cronJob = cronJobWith({ annotations: { "konductor.io/propagated": record } }, marked());
    expect(templateOf(mutate(cronJob))).toEqual(marked());
  });

  it("warns and refuses with the path in the CronJob's template", () => {
    const deadline = cronJobWith(marked(), {}, { activeDeadlineSeconds: 7 });
    expect(mutateCronJob(deadline, NAMESPACE, CONTEXT).warnings).toEqual([
      expect.stringMatching(/^spec\.jobTemplate\.spec\.activeDeadlineSeconds: /),
    ]);
    expect(() => mutate(cronJobWith({}, marked({ ttl: "1" })))).toThrow(
      /^spec\.jobTemplate\.spec\.template\.metadata\.annotations\[konductor\.io\/ttl\]: /,
    );
  });
});

describe("warnOwner", () => {
  const warn = (metadata: Metadata, template: Metadata) =>
    warnOwner("Deployment", ownerWith(metadata, template), NAMESPACE, CONTEXT);

  it("names the right place for a label on the owner itself", () => {
    expect(warn(marked(), {})).toEqual([
      "metadata.labels[konductor.io/lease] has no effect on a Deployment: put it on its pods, " +
        "spec.template.metadata.labels[konductor.io/lease]",
    ]);
  });

  it("does not warn where the pods carry the label", () => {
    const owner = ownerWith(marked(), marked(), { strategy: { type: "Recreate" } });
    expect(warnOwner("Deployment", owner, NAMESPACE, CONTEXT)).toEqual([]);
    expect(warn({}, {})).toEqual([]);
  });

  it("warns that a rolling update of labelled pods cannot end", () => {
    expect(warn({}, marked())).toEqual([expect.stringMatching(/^spec\.strategy: .* Recreate/)]);
    expect(warn({}, {})).toEqual([]);
  });

  it("refuses a template whose pods would be refused", () => {
    expect(() => warn({}, marked({ renew: "maybe" }))).toThrow(/^spec\.template\.metadata\.annotations/);
  });
});

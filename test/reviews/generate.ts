/**
 * AdmissionReviews as an API server may send them, which are then damaged. The objects combine what users write, and some are refused. Damage
 * replaces, removes or repeats a part.
 */
import fc from "fast-check";
import {
  ANNOTATION,
  GATE_CONTAINER,
  gateProgram,
  KEEPER_CONTAINER,
  LEASE_LABEL,
  NODE_PATHS,
} from "../../src/shared/names.ts";

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Objekt = { [key: string]: Json };

const LEASES = ["nightly", "report", "a.b-c", "", "No Such", "x".repeat(64)];
/** Good and bad values of every annotation, and some unknown annotations. */
export const VALUES: Readonly<Record<string, readonly string[]>> = {
  [ANNOTATION.ttl]: ["15s", "10m", "1h30m", "1ms", "-5s", "9".repeat(40), "1h".repeat(5_000)],
  [ANNOTATION.waitTimeout]: ["1s", "5m", "0s", "soon"],
  [ANNOTATION.ifHeld]: ["wait", "skip", "fail", "Skip"],
  [ANNOTATION.maxWaiting]: ["0", "1", "-1", "2147483648", "1e3"],
  [ANNOTATION.priority]: ["0", "-5", "1000", "high"],
  [ANNOTATION.renew]: ["true", "false", "yes"],
  [ANNOTATION.maxHold]: ["1m", "24h", ""],
  [ANNOTATION.gate]: ["init", "scheduling", "job", "none"],
  [ANNOTATION.maxRestarts]: ["0", "5", "-1"],
  [ANNOTATION.once]: ["schema-v42", "a", "a b", ""],
  [ANNOTATION.startTimeout]: ["30s", "10m", "\u0000"],
  [ANNOTATION.onLost]: ["terminate", "continue", "TERMINATE"],
  [ANNOTATION.resources]: ["requests.cpu=50m", "limits.memory=256Mi,requests.memory=1Gi", "cpu"],
  [ANNOTATION.traceparent]: ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-x-y-01"],
  [ANNOTATION.tokenFile]: ["/var/run/lease", "/a/../b", "relative", `/${"x".repeat(5_000)}`],
  "konductor.io/tll": ["10m"],
  "example.com/note": ["", "x".repeat(3_000), "\ud800"],
};
/** Up to `most` items of `list`, usually few. */
const some = <T>(list: fc.Arbitrary<T>, most: number) => fc.array(list, { maxLength: most, size: "small" });
const rarely = <T>(value: fc.Arbitrary<T>) =>
  fc.oneof({ weight: 5, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: value });

const annotations = some(
  fc
    .constantFrom(...Object.keys(VALUES))
    .chain((name) => fc.constantFrom(...(VALUES[name] ?? [])).map((value) => [name, value] as const)),
  4,
).map((entries): Objekt => Object.fromEntries(entries));
const metadata = fc
  .record({
    lease: fc.option(fc.constantFrom(...LEASES), { nil: undefined, freq: 8 }),
    annotations,
    isOfJob: fc.boolean(),
  })
  .map(({ lease, annotations: given, isOfJob }) => ({
    name: "generated",
    labels: { app: "web", ...(lease !== undefined && { [LEASE_LABEL]: lease }) },
    annotations: given,
    ...(isOfJob && {
      ownerReferences: [{ apiVersion: "batch/v1", kind: "Job", name: "of", uid: "u", controller: true }],
    }),
  }));

const quantities = fc.constantFrom<Objekt>(
  {},
  { cpu: "10m", memory: "16Mi" },
  { cpu: "1", memory: "1Gi" },
  { memory: "12e6" },
);
const restricted = {
  runAsNonRoot: true,
  runAsUser: 1_000,
  allowPrivilegeEscalation: false,
  capabilities: { drop: ["ALL"] },
  seccompProfile: { type: "RuntimeDefault" },
};
const container = (name: string) =>
  fc
    .record({
      resources: rarely(fc.record({ requests: quantities, limits: quantities })),
      restartPolicy: rarely(fc.constantFrom("Always", "Never", "OnFailure")),
      preStop: rarely(
        fc.constantFrom<Objekt>({ exec: { command: ["sleep", "5"] } }, { sleep: { seconds: 20 } }),
      ),
      probe: rarely(
        fc.constantFrom<Objekt>({ exec: { command: ["true"] }, terminationGracePeriodSeconds: 3 }),
      ),
      mount: rarely(
        fc.constantFrom("data", "konductor-token", "konductor-state", "konductor-trust", "konductor-lease"),
      ),
      args: some(fc.constantFrom("gate", "keep", "--verbose", "$(X)"), 3),
    })
    .map(({ resources, restartPolicy, preStop, probe, mount, args }) => ({
      name,
      image: "registry.example.com/app:1",
      args,
      securityContext: restricted,
      ...(resources && { resources }),
      ...(restartPolicy && { restartPolicy }),
      ...(preStop && { lifecycle: { preStop } }),
      ...(probe && { livenessProbe: probe }),
      ...(mount && { volumeMounts: [{ name: mount, mountPath: `/mnt/${mount}` }] }),
    }));
/** A container that konductor or an imitator left in an earlier pass. */
const injected = fc.constantFrom(GATE_CONTAINER, KEEPER_CONTAINER).map((name) => ({
  ...{
    name,
    image: "konductor:0.1.0",
    command: gateProgram(NODE_PATHS[0]),
    args: [name === GATE_CONTAINER ? "gate" : "keep"],
  },
  ...(name === KEEPER_CONTAINER && { restartPolicy: "Always" }),
}));
const podSpec = fc
  .record({
    containers: fc
      .uniqueArray(fc.constantFrom("main", "sidecar", GATE_CONTAINER), { minLength: 1, maxLength: 2 })
      .chain((names) => fc.tuple(...names.map(container))),
    init: some(fc.oneof({ weight: 3, arbitrary: container("setup") }, { weight: 1, arbitrary: injected }), 2),
    volumes: fc.uniqueArray(
      fc.constantFrom("data", "konductor-token", "konductor-state", "konductor-trust"),
      { maxLength: 2 },
    ),
    restartPolicy: fc.constantFrom("Always", "Never", "OnFailure"),
    grace: rarely(fc.constantFrom(0, 1, 30, 3_600)),
    deadline: rarely(fc.constantFrom(1, 600)),
    os: rarely(fc.constantFrom("linux", "windows")),
    nodeName: rarely(fc.constant("node-1")),
    gates: rarely(fc.constantFrom("konductor.io/lease", "example.com/ready")),
  })
  .map(({ containers, init, volumes, restartPolicy, grace, deadline, os, nodeName, gates }) => ({
    containers,
    initContainers: init,
    restartPolicy,
    securityContext: { runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } },
    volumes: volumes.map((name) => ({ name, emptyDir: {} })),
    ...(grace !== undefined && { terminationGracePeriodSeconds: grace }),
    ...(deadline !== undefined && { activeDeadlineSeconds: deadline }),
    ...(os && { os: { name: os } }),
    ...(nodeName && { nodeName }),
    ...(gates && { schedulingGates: [{ name: gates }] }),
  }));
/** Undamaged pods. */
export const pods = fc
  .record({ metadata, spec: podSpec })
  .map((pod) => ({ apiVersion: "v1", kind: "Pod", ...pod }));

const template = fc.record({ metadata, spec: podSpec });
const job = fc.record({
  metadata,
  spec: fc
    .record({
      template,
      suspend: rarely(fc.boolean()),
      completions: rarely(fc.constantFrom(1, 3)),
      parallelism: rarely(fc.constantFrom(1, 501)),
    })
    .map(withoutUndefined),
});
const request = fc.record({
  metadata,
  spec: fc.record({ lease: fc.constantFrom(...LEASES), holder: fc.constantFrom("ci", "", "a\u001b[2J") }),
});
const lease = fc.record({
  metadata,
  spec: fc.record({ ttl: fc.constantFrom("1m", "1h".repeat(5_000)) }),
  status: fc.record({
    phase: fc.constantFrom("Available", "Held"),
    holder: fc.constantFrom("", "web"),
    fencingToken: fc.nat(),
  }),
});
const objects: readonly (readonly [
  group: string,
  version: string,
  kind: string,
  arbitrary: fc.Arbitrary<object>,
])[] = [
  ["", "v1", "Pod", pods],
  ["batch", "v1", "Job", job],
  [
    "batch",
    "v1",
    "CronJob",
    fc.record({ metadata, spec: fc.record({ schedule: fc.constant("* * * * *"), jobTemplate: job }) }),
  ],
  ["apps", "v1", "Deployment", fc.record({ metadata, spec: fc.record({ replicas: fc.nat(3), template }) })],
  ["apps", "v1", "StatefulSet", fc.record({ metadata, spec: fc.record({ template }) })],
  ["konductor.io", "v1", "Lease", lease],
  ["konductor.io", "v1", "LeaseRequest", request],
];

const JUNK: readonly Json[] = [
  null,
  true,
  -1,
  1e300,
  "",
  "x".repeat(2_000),
  [],
  [null],
  {},
  { name: 1 },
  [[[]]],
  { toString: 1 },
];
const damage = fc.record({
  place: fc.nat(),
  how: fc.constantFrom("replace", "remove", "repeat"),
  junk: fc.constantFrom(...JUNK),
});

/** Reviews, and whether their objects are damaged. */
export const reviews = fc
  .record({
    of: fc.constantFrom(...objects).chain(([group, version, kind, arbitrary]) =>
      fc.record({
        kind: fc.constant({ group, version, kind }),
        object: arbitrary,
        oldObject: rarely(arbitrary),
      }),
    ),
    damages: fc.oneof(
      { weight: 1, arbitrary: fc.constant([]) },
      { weight: 2, arbitrary: fc.array(damage, { minLength: 1, maxLength: 3 }) },
    ),
    username: fc.constantFrom("ada", "system:serviceaccount:konductor-system:konductor"),
  })
  .map(({ of: { kind, object, oldObject }, damages, username }) => {
    const copy = structuredClone(withoutUndefined(object)) as Json;
    for (const each of damages) inflict(copy, structuredClone(each));
    return {
      isDamaged: damages.length > 0,
      review: {
        apiVersion: "admission.k8s.io/v1",
        kind: "AdmissionReview",
        request: {
          uid: "generated",
          kind,
          operation: oldObject ? "UPDATE" : "CREATE",
          namespace: "team-a",
          userInfo: { username },
          object: copy,
          ...(oldObject && { oldObject }),
        },
      },
    };
  });

/** Damages the part of `root` that `place` selects. */
function inflict(root: Json, { place, how, junk }: { place: number; how: string; junk: Json }): void {
  const places: [parent: Json[] | Objekt, key: string][] = [];
  (function visit(value: Json): void {
    if (typeof value !== "object" || value === null) return;
    for (const [key, part] of Object.entries(value)) {
      places.push([value, key]);
      visit(part);
    }
  })(root);
  const [parent, key] = places[place % Math.max(1, places.length)] ?? [];
  if (parent === undefined || key === undefined) return;
  if (Array.isArray(parent)) {
    const index = Number(key);
    parent.splice(
      index,
      how === "repeat" ? 0 : 1,
      ...(how === "remove" ? [] : [how === "repeat" ? (parent[index] ?? null) : junk]),
    );
  } else if (how === "remove") delete parent[key];
  else parent[key] = how === "repeat" ? [parent[key] ?? null, parent[key] ?? null] : junk;
}

function withoutUndefined<T extends object>(object: T): T {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as T;
}

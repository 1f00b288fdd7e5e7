import { expect } from "vitest";
import { PODS } from "../../../src/kube/resources.ts";
import { parsePod } from "../../../src/lease/pod.ts";
import {
  ANNOTATION,
  GATE_CONTAINER,
  LEASE_LABEL,
  PATH,
  STATE_VOLUME,
  TOKEN_AUDIENCE,
} from "../../../src/shared/names.ts";
import { waitFor } from "../../cluster/wait.ts";
import type { Environment, PodName, Scenario } from "../environment.ts";
import { callKonductor } from "../konductor-call.ts";
import { readLease, readPods, readRequests } from "../observe.ts";
import { setStage } from "../stage.ts";
import { BUSYBOX_IMAGE, pod, type Workload } from "../workload.ts";

/** More than the 3 MiB that the API server accepts: a direct caller can send it. */
const TEN_MIB = 10 * 1024 * 1024;

const NOT_A_PODS = `the token is not a pod's projected token for the audience ${TOKEN_AUDIENCE}`;

const container = (name: string) => ({ name, image: BUSYBOX_IMAGE, command: ["true"] });

const REFUSED: readonly { what: string; details: Partial<Workload>; sentence: string }[] = [
  ...[
    [ANNOTATION.ifHeld, "maybe", "wait or skip or fail is allowed"],
    [ANNOTATION.waitTimeout, "soon", 'a Go duration such as "10m" that is longer than 0s is allowed'],
    [ANNOTATION.maxWaiting, "-1", "a whole number from 0 to 2147483647 is allowed"],
    [ANNOTATION.priority, "high", "a whole number from -2147483648 to 2147483647 is allowed"],
    [ANNOTATION.ttl, "14s", 'a Go duration such as "10m" of at least 15s is allowed'],
    [ANNOTATION.renew, "yes", "true or false is allowed"],
    [ANNOTATION.maxHold, "0s", 'a Go duration such as "10m" that is longer than 0s is allowed'],
    [ANNOTATION.gate, "door", "init or scheduling or job is allowed"],
    [ANNOTATION.startTimeout, "10", 'a Go duration such as "10m" that is longer than 0s is allowed'],
    [ANNOTATION.onLost, "panic", "terminate or continue is allowed"],
    [ANNOTATION.tokenFile, "token", 'an absolute path such as "/var/run/lease" is allowed'],
    [
      "konductor.io/prioritty",
      "1",
      `konductor knows no such annotation; did you mean ${ANNOTATION.priority}?`,
    ],
  ].map(([name = "", value = "", rule = ""]) => ({
    what: `${name}: ${value}`,
    details: { annotations: { [name]: value } },
    sentence: `metadata.annotations[${name}]: Invalid value: "${value}": ${rule}`,
  })),
  {
    what: "an invalid lease name",
    details: { lease: "Nightly_Report" },
    sentence: `metadata.labels[${LEASE_LABEL}]: Invalid value: "Nightly_Report": lower-case letters, digits, "-" and "." are allowed`,
  },
  {
    what: "a Windows pod",
    details: { spec: { os: { name: "windows" } } },
    sentence: `spec.os.name: Invalid value: "windows": only Linux pods are allowed to carry the label ${LEASE_LABEL}`,
  },
  {
    what: "a container with our gate's name",
    details: { spec: { containers: [container("main"), container(GATE_CONTAINER)] } },
    sentence: `spec.containers[1].name: Invalid value: "${GATE_CONTAINER}": the name is konductor's own`,
  },
  {
    what: "an init container with our gate's name",
    details: { spec: { initContainers: [container(GATE_CONTAINER)] } },
    sentence: `spec.initContainers[0].name: Invalid value: "${GATE_CONTAINER}": the name is konductor's own`,
  },
  {
    what: "a volume with our state's name",
    details: {
      spec: {
        volumes: [
          { name: STATE_VOLUME, emptyDir: {} },
          { name: "journal", emptyDir: {} },
        ],
      },
    },
    sentence: `spec.volumes[0].name: Invalid value: "${STATE_VOLUME}": the name is konductor's own`,
  },
];

const NO_NODE: Scenario["uses"] = ["control plane", "konductor"];

export const refusals: readonly Scenario[] = [
  {
    name: "a user's mistake is refused in kubectl apply with one sentence, and nothing is stored",
    uses: NO_NODE,
    async run(environment) {
      const namespace = await environment.createNamespace();
      const journal = environment.journal(`${namespace}-wrong`);
      for (const { what, details, sentence } of REFUSED) {
        const workload = pod({ namespace, name: "wrong", lease: "wrong", journal, ...details });
        const error = await environment.kubectl.withObject(workload, "apply").then(
          () => new Error("it was stored"),
          (reason: unknown) => reason,
        );
        const [line = "", ...more] = messageOf(error).split("\n");
        expect(line, what).toContain(`admission webhook "pods.konductor.io" denied the request: ${sentence}`);
        expect(more, what).toEqual([]);
      }
      expect(await readPods(environment, namespace)).toEqual([]);
      expect(await readRequests(environment, namespace)).toEqual([]);
    },
  },
  {
    name: "a caller other than the holder's pod gets a clear error from the gate API, and nothing changes",
    async run(environment) {
      const stage = await setStage(environment, "guarded", { ttl: "5m" });
      const { namespace } = stage;
      const holder = await stage.apply("holder");
      const { token: fencingToken } = await stage.holds("holder");
      await stage.runs("holder", 1);
      const other = await stage.apply("other", { lease: "elsewhere" });
      await stage.runs("other", 1);
      const gone = await stage.apply("gone", { lease: "elsewhere" });
      const tokens = {
        holder: await podToken(environment, holder, TOKEN_AUDIENCE),
        foreign: await podToken(environment, holder, "https://kubernetes.default.svc"),
        other: await podToken(environment, other, TOKEN_AUDIENCE),
        gone: await podToken(environment, gone, TOKEN_AUDIENCE),
        noPod: (
          await environment.kubectl(
            "-n",
            namespace,
            "create",
            "token",
            "default",
            `--audience=${TOKEN_AUDIENCE}`,
          )
        ).trim(),
      };
      await environment.kubectl("-n", namespace, "delete", "pod", "gone", "--force", "--grace-period=0");
      await waitFor({
        what: "the request of the pod that is gone to go, too",
        withinMs: 30_000,
        holds: async () =>
          (await readRequests(environment, namespace)).every(({ spec }) => spec.ref?.name !== "gone"),
      });
      const before = await stateOf(environment, namespace);

      const holderCall = { lease: "guarded", token: fencingToken, ttlMs: 300_000 };
      const calls = [PATH.acquire, PATH.renew, PATH.announce, PATH.release];
      for (const path of calls) {
        const call = (token: string | undefined, body: string) =>
          callKonductor(environment, { path, body, ...(token !== undefined && { token }) });
        const json = JSON.stringify(holderCall);
        expect(await call(undefined, json), path).toEqual(
          refusal(401, "Unauthenticated", "a bearer token is required"),
        );
        expect(await call(tokens.foreign, json), path).toEqual(refusal(401, "Unauthenticated", NOT_A_PODS));
        expect(await call(tokens.gone, json), path).toEqual(
          refusal(401, "Unauthenticated", "its pod is gone"),
        );
        expect(await call(tokens.noPod, json), path).toEqual(refusal(401, "Unauthenticated", NOT_A_PODS));
        expect(await call(tokens.other, json), path).toEqual(
          refusal(403, "Forbidden", `klease ${namespace}/guarded is not that of pod other`),
        );
        expect(await call(tokens.holder, "{"), path).toEqual(refusal(400, "BadRequest", "JSON"));
        expect(await call(tokens.holder, "{}"), path).toEqual(
          refusal(400, "BadRequest", "lease: the name of a klease is required"),
        );
        const long = JSON.stringify({ ...holderCall, padding: "x".repeat(TEN_MIB) });
        expect(await call(tokens.holder, long), path).toEqual(refusal(400, "BadRequest", "too large"));
      }
      const wrongToken = JSON.stringify({ ...holderCall, token: fencingToken + 1 });
      expect(
        await callKonductor(environment, { path: PATH.renew, token: tokens.holder, body: wrongToken }),
      ).toEqual(refusal(409, "NotHolder", `held since`));
      expect(await stateOf(environment, namespace)).toEqual(before);
    },
  },
  {
    name: "a body that is no AdmissionReview, or 10 MB long, gets a clear error from the admission endpoint",
    uses: NO_NODE,
    async run(environment) {
      const call = (body: string) => callKonductor(environment, { path: PATH.mutate, body });
      expect(await call("{")).toEqual(refusal(400, "BadRequest", "JSON"));
      expect(await call('{"kind":"Pod"}')).toEqual(
        refusal(400, "BadRequest", "the body is not an AdmissionReview of admission.k8s.io/v1"),
      );
      expect(await call(JSON.stringify({ padding: "x".repeat(TEN_MIB) }))).toEqual(
        refusal(413, "BadRequest", "too large"),
      );
    },
  },
];

/** A token for the default account, bound to this pod, as in a projected volume. */
async function podToken(
  { client, kubectl }: Environment,
  { namespace, name }: PodName,
  audience: string,
): Promise<string> {
  const { uid } = await client.get(PODS, { namespace, name }, parsePod);
  const bound = ["--bound-object-kind=Pod", `--bound-object-name=${name}`, `--bound-object-uid=${uid}`];
  const account = ["-n", namespace, "create", "token", "default", `--audience=${audience}`];
  return (await kubectl(...account, ...bound)).trim();
}

/** Everything that a call to the gate API could change here. */
async function stateOf(environment: Environment, namespace: string) {
  const lease = await readLease(environment, namespace, "guarded");
  const requests = await readRequests(environment, namespace);
  return { lease, requests: requests.map(({ name, uid, status }) => ({ name, uid, status })) };
}

function refusal(status: number, reason: string, part: string) {
  return { status, reason, message: expect.stringContaining(part) };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

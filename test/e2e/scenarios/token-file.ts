/** `token-file`: what main reads of its hold, and how that protects a resource. */
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "vitest";
import { parseAllDocuments } from "yaml";
import { isTerminal } from "../../../src/lease/pod.ts";
import { record } from "../../../src/shared/json.ts";
import { ANNOTATION, KEEPER_CONTAINER, LEASE_LABEL } from "../../../src/shared/names.ts";
import { waitFor } from "../../cluster/wait.ts";
import type { Environment, Scenario } from "../environment.ts";
import { readPods } from "../observe.ts";
import { type Stage, setStage } from "../stage.ts";
import { BUSYBOX_IMAGE } from "../workload.ts";

/** Relative to the folder in which containers start, because on a node of local processes nothing is mounted. */
const DIR = "run/lease";
/** Long enough for two renewals. */
const READ_SECONDS = 25;

/** Reads both files as fast as it can, and prints each pair that is new or wrong. */
const READER = `
token=$(cat ${DIR}/token)
read -r now _ < /proc/uptime
end=$((\${now%.*} + ${READ_SECONDS}))
last= count=0
while [ "\${now%.*}" -lt $end ]; do
  t= e=
  read -r t < ${DIR}/token
  read -r e < ${DIR}/expires
  count=$((count + 1))
  case "$t/$e" in
    "$token"/2???-??-??T??:??:??Z) ;;
    *) echo "wrong $t/$e" ;;
  esac
  [ "$e" = "$last" ] || echo "read $t $e"
  last=$e
  read -r now _ < /proc/uptime
done
echo "count $count"
`;

const RESTRICTED = {
  runAsNonRoot: true,
  runAsUser: 12_345,
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] },
  seccompProfile: { type: "RuntimeDefault" },
};

/** A pod that PodSecurity level `restricted` admits. */
function reader(namespace: string, name: string, script: string) {
  const container = (containerName: string, line: string) => ({
    name: containerName,
    image: BUSYBOX_IMAGE,
    imagePullPolicy: "IfNotPresent",
    command: ["sh", "-c", line],
    securityContext: RESTRICTED,
  });
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...{ namespace, name, labels: { [LEASE_LABEL]: "shown" } },
      annotations: { [ANNOTATION.tokenFile]: `/${DIR}` },
    },
    spec: {
      restartPolicy: "Never",
      automountServiceAccountToken: false,
      initContainers: [container("setup", `cat ${DIR}/token`)],
      containers: [container("main", script), container("beside", `cat ${DIR}/token ${DIR}/expires`)],
    },
  };
}

async function logsOf({ kubectl }: Environment, { namespace }: Stage, pod: string, container: string) {
  const log = await kubectl("-n", namespace, "logs", pod, "-c", container);
  return log.split("\n").filter((line) => line !== "");
}

export const tokenFile: readonly Scenario[] = [
  {
    name: "token-file: containers of any user read the token and an expiry that renewals extend, and never half a file; the next token is higher",
    timeoutMs: 180_000,
    async run(environment) {
      const { kubectl, node } = environment;
      const stage = await setStage(environment, "shown", { ttl: "30s" });
      const { namespace } = stage;
      await kubectl("label", "namespace", namespace, "pod-security.kubernetes.io/enforce=restricted");
      const writes = `(echo forged > ${DIR}/token) 2> /dev/null && echo writable`;
      const script = node === "kubelet" ? `${writes}\n${READER}` : READER;
      await kubectl.withObject(reader(namespace, "first", script), "create");
      const { token } = await stage.holds("first");
      await kubectl.withObject(reader(namespace, "next", `cat ${DIR}/token`), "create");
      await stage.pod("first", "to end", isTerminal);

      const log = await logsOf(environment, stage, "first", "main");
      expect(log.filter((line) => /wrong|writable/.test(line))).toEqual([]);
      const reads = log.filter((line) => line.startsWith("read ")).map((line) => line.split(" "));
      expect(new Set(reads.map(([, read]) => read))).toEqual(new Set([String(token)]));
      const expiries = reads.map(([, , expires = ""]) => Date.parse(expires));
      expect(expiries.length).toBeGreaterThanOrEqual(3);
      expect(expiries).toEqual([...new Set(expiries)].toSorted((a, b) => a - b));
      const count = Number(log.at(-1)?.replace("count ", ""));
      process.stderr.write(`token-file: read ${count} times, ${expiries.length} expiries\n`);
      expect(count).toBeGreaterThan(1_000);
      expect(await logsOf(environment, stage, "first", "setup")).toEqual([String(token)]);
      expect(await logsOf(environment, stage, "first", "beside")).toEqual([
        expect.stringMatching(new RegExp(`^${token}2\\d{3}-.*Z$`)),
      ]);

      await stage.pod("next", "to end", isTerminal);
      const [next = ""] = await logsOf(environment, stage, "next", "main");
      expect(Number(next)).toBeGreaterThan(token);
    },
  },
  {
    name: "token-file: token and expiry are gone once the hold is lost, though main runs on",
    async run(environment) {
      const stage = await setStage(environment, "ended", { ttl: "15s" });
      const { namespace, journal } = stage;
      const annotations = {
        [ANNOTATION.tokenFile]: `/${DIR}`,
        [ANNOTATION.renew]: "false",
        [ANNOTATION.onLost]: "continue",
      };
      const script = [
        `cat ${DIR}/token && echo`,
        `while [ -e ${DIR}/token ]; do sleep 0.1; done`,
        `[ -e ${DIR}/expires ] || echo gone`,
      ];
      const container = { command: ["sh", "-c", script.join("\n")] };
      await stage.apply("holder", { annotations, journal, container });
      const { token } = await stage.holds("holder");
      await stage.pod("holder", "to end", isTerminal);
      expect(await environment.kubectl("-n", namespace, "logs", "holder", "-c", "main")).toBe(
        `${token}\ngone\n`,
      );
    },
  },
  {
    name: "token-file: the database of examples/fenced-database refuses a holder that goes on after the end of its hold",
    timeoutMs: 180_000,
    async run(environment) {
      const { kubectl } = environment;
      const stage = await setStage(environment, "ledger", { ttl: "15s" });
      const { namespace } = stage;
      const ledger = join(stage.journal.dir, `${namespace}.ledger`);
      await mkdir(ledger, { recursive: true });
      const { database, job } = await readExample(environment, ledger);
      await kubectl.withObject(inNamespace(database, namespace, "database"), "create");
      const start = async (name: string, annotations: Readonly<Record<string, string>>) => {
        const metadata = record(job["metadata"]);
        const merged = { ...metadata, annotations: { ...record(metadata["annotations"]), ...annotations } };
        await kubectl.withObject(inNamespace({ ...job, metadata: merged }, namespace, name), "create");
        return waitForPod(environment, namespace, `${name}-`);
      };
      const entries = async () =>
        (await readFile(join(ledger, "entries"), "utf8").catch(() => ""))
          .split("\n")
          .filter((line) => line !== "");
      const writes = (pod: string) =>
        waitFor({
          what: `an entry of ${pod}`,
          withinMs: 60_000,
          holds: async () => (await entries()).some((line) => line.endsWith(` of ${pod}`)),
        });

      const late = await start("late", { [ANNOTATION.onLost]: "continue" });
      const { token } = await stage.holds(late);
      await writes(late);
      await environment.killContainer({ namespace, name: late }, KEEPER_CONTAINER, "SIGSTOP");
      const next = await start("next", {});
      const { token: higher } = await stage.holds(next);
      expect(higher).toBeGreaterThan(token);
      await writes(next);
      await waitFor({
        what: "the late one to have been refused",
        withinMs: 30_000,
        holds: async () =>
          (await kubectl("-n", namespace, "logs", late, "-c", "bookkeeper")).includes(
            `refused: token ${token} is lower than ${higher}`,
          ),
      });
      const tokens = (await entries()).map((line) => Number(line.split(" ")[0]));
      expect(tokens).toEqual(tokens.toSorted((a, b) => a - b));
      expect(new Set(tokens)).toEqual(new Set([token, higher]));
      await environment.killContainer({ namespace, name: late }, KEEPER_CONTAINER, "SIGCONT");
    },
  },
];

type Fields = Record<string, unknown>;

/** The example as shipped, except for the places of its files: no storage class, no registry, and perhaps no mounts. */
async function readExample(
  { node }: Environment,
  ledger: string,
): Promise<{ database: Fields; job: Fields }> {
  const path = join(import.meta.dirname, "../../../examples/fenced-database/fenced-database.yaml");
  const source = (await readFile(path, "utf8"))
    .replace("image: busybox:1.37", `image: ${BUSYBOX_IMAGE}`)
    .replace(
      "persistentVolumeClaim:\n            claimName: ledger",
      `hostPath:\n            path: ${ledger}`,
    )
    .replaceAll(/(mountPath:|cd) \/ledger\b/g, `$1 ${ledger}`)
    // Where nothing can be mounted, a relative path leads to the volume.
    .replaceAll(/\b(cat|sh) \/(run|database)\//g, node === "process" ? "$1 $2/" : "$&");
  const [database, , job] = parseAllDocuments(source).map((document) => record(document.toJS()));
  if (database?.["kind"] !== "ConfigMap" || job?.["kind"] !== "Job") {
    throw new Error(`${path} is not a ConfigMap, a claim and a Job`);
  }
  return { database, job };
}

function inNamespace(object: Fields, namespace: string, name: string): Fields {
  const { generateName: _, ...metadata } = record(object["metadata"]);
  return { ...object, metadata: { ...metadata, namespace, name } };
}

async function waitForPod(environment: Environment, namespace: string, prefix: string): Promise<string> {
  let found: string | undefined;
  await waitFor({
    what: `a pod ${prefix}…`,
    withinMs: 30_000,
    async holds() {
      found = (await readPods(environment, namespace)).find(({ name }) => name.startsWith(prefix))?.name;
      return found !== undefined;
    },
  });
  return found ?? "";
}

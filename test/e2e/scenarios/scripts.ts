/**
 * The manifests and commands that the project promised for scripts that call koncli themselves, as a user has to write them: a Job needs a
 * restartPolicy, its account needs konductor-user, and `kubectl get lease` is spelt `klease`.
 */
import { writeFile } from "node:fs/promises";
import { expect } from "vitest";
import { API_VERSION } from "../../../src/shared/names.ts";
import { waitFor } from "../../cluster/wait.ts";
import type { Environment, Scenario } from "../environment.ts";
import { overlaps } from "../journal.ts";
import { readLease, waitForJobs, waitForLease } from "../observe.ts";
import { createScriptAccount, outputOf, scriptPod, scriptTemplate } from "../scripts.ts";
import { waitForEnded } from "../turns.ts";

const needsKubelet = "koncli's image, a mounted account token and the Service of the API server";

/** A namespace with kleases and an account for scripts. */
async function prepare(environment: Environment, leases: Readonly<Record<string, object>>) {
  const namespace = await environment.createNamespace();
  await createScriptAccount(environment, namespace);
  const items = Object.entries(leases).map(([name, spec]) => ({
    apiVersion: API_VERSION,
    kind: "Lease",
    metadata: { namespace, name },
    spec,
  }));
  await environment.kubectl.withObject({ apiVersion: "v1", kind: "List", items }, "apply");
  return { namespace, journal: environment.journal(`${namespace}-scripts`) };
}

export const scripts: readonly Scenario[] = [
  {
    name: "scripts: a CronJob that tries its klease once runs, and a run beside it skips",
    needsKubelet,
    async run(environment) {
      const { kubectl } = environment;
      const { namespace, journal } = await prepare(environment, { "daily-report": { ttl: "2h" } });
      const lines = [
        "if koncli lease acquire daily-report --holder $HOSTNAME --timeout 0; then",
        "  j start",
        `  until [ -e ${journal.path}.go ]; do j beat; sleep 0.1; done`,
        "  j end",
        "  koncli lease release daily-report --holder $HOSTNAME",
        "else",
        '  echo "still running, skipping"',
        "  exit 0",
        "fi",
      ];
      const cronJob = {
        apiVersion: "batch/v1",
        kind: "CronJob",
        metadata: { namespace, name: "daily-report-job" },
        spec: {
          schedule: "0 2 * * *",
          suspend: true,
          jobTemplate: { spec: { backoffLimit: 0, template: scriptTemplate({ journal, lines }) } },
        },
      };
      await kubectl.withObject(cronJob, "apply");
      const start = (name: string) =>
        kubectl("-n", namespace, "create", "job", name, "--from=cronjob/daily-report-job");
      await start("first");
      await waitFor({
        what: "the first run to hold the klease",
        withinMs: 60_000,
        holds: async () => (await journal.runs()).length === 1,
      });
      await start("second");
      const jobLog = (name: string) => kubectl("-n", namespace, "logs", `job/${name}`);
      await waitFor({
        what: "the second run to skip",
        withinMs: 60_000,
        holds: async () => (await jobLog("second")).includes("still running, skipping"),
      });
      expect(await jobLog("second")).toMatch(/klease daily-report is held by first-/);
      await kubectl("-n", namespace, "wait", "--for=condition=Complete", "job/second", "--timeout=60s");
      await writeFile(`${journal.path}.go`, "");
      expect(await waitForJobs(environment, namespace)).toEqual({ failed: [] });
      expect(await journal.runs()).toHaveLength(1);
      const { status } = await readLease(environment, namespace, "daily-report");
      expect(status.hold).toBeUndefined();
      expect(status.history).toMatchObject([{ reason: "Released" }]);
    },
  },
  {
    name: "scripts: three pods of a Job wait for one klease, and migrate one at a time",
    needsKubelet,
    async run(environment) {
      const leases = { "db-migration": { ttl: "15m", priority: 10 } };
      const { namespace, journal } = await prepare(environment, leases);
      const lines = [
        "if koncli lease acquire db-migration --holder $HOSTNAME --wait --timeout=5m; then",
        "  j start; for i in 1 2 3 4 5 6 7 8 9 10; do j beat; sleep 0.1; done; j end",
        "  koncli lease release db-migration --holder $HOSTNAME",
        "else",
        "  exit 1",
        "fi",
      ];
      const job = {
        apiVersion: "batch/v1",
        kind: "Job",
        metadata: { namespace, name: "migrate-db" },
        spec: {
          parallelism: 3,
          completions: 3,
          backoffLimit: 0,
          template: scriptTemplate({ journal, lines }),
        },
      };
      await environment.kubectl.withObject(job, "apply");
      expect(await waitForJobs(environment, namespace)).toEqual({ failed: [] });
      const runs = await journal.runs();
      expect(runs).toHaveLength(3);
      expect(overlaps(runs)).toEqual([]);
      const { history } = (await readLease(environment, namespace, "db-migration")).status;
      expect(history.map(({ reason }) => reason)).toEqual(["Released", "Released", "Released"]);
      const tokens = history.map(({ token }) => token);
      expect(tokens).toEqual(tokens.toSorted((a, b) => b - a));
    },
  },
  {
    name: "scripts: acquire, renew, status, release, and a handover to another holder",
    needsKubelet,
    async run(environment) {
      const { namespace, journal } = await prepare(environment, { "my-lease": { ttl: "10m" } });
      const lines = [
        "set -e",
        "koncli lease acquire my-lease --holder $HOSTNAME --ttl=10m",
        "koncli lease acquire my-lease --holder $HOSTNAME --wait --timeout=5m",
        "koncli lease renew my-lease --holder $HOSTNAME",
        "koncli lease status my-lease",
        "if koncli lease release my-lease --holder somebody-else; then exit 9; fi",
        "koncli lease release my-lease --holder $HOSTNAME",
        "koncli lease acquire my-lease --holder next --ttl=10m",
        "koncli lease release my-lease --holder next",
        "koncli lease history my-lease",
      ];
      await environment.kubectl.withObject(scriptPod(namespace, "hands", { journal, lines }), "apply");
      const { phase, log } = await outputOf(environment, namespace, "hands");
      expect({ phase, log }).toMatchObject({ phase: "Succeeded" });
      expect(log).toMatch(/Phase: +Held/);
      // The second `acquire` has found the hold again, and renewed it.
      expect(log).toMatch(/Renewals: +2/);
      const { status } = await readLease(environment, namespace, "my-lease");
      expect(status.history).toMatchObject([
        { holder: "next", reason: "Released" },
        { holder: "hands", reason: "Released" },
      ]);
    },
  },
  {
    name: "scripts: a renewal loop ends when the promised patch takes its klease away",
    needsKubelet,
    async run(environment) {
      const { kubectl } = environment;
      const { namespace, journal } = await prepare(environment, { "my-service-leader": { ttl: "30s" } });
      const lines = [
        'HOLDER_ID="$HOSTNAME-$$"',
        "if koncli lease acquire my-service-leader --holder $HOLDER_ID --ttl=30s; then",
        "  while true; do",
        "    sleep 1",
        "    if ! koncli lease renew my-service-leader --holder $HOLDER_ID; then",
        '      echo "lost, shutting down"; j end; exit 1',
        "    fi",
        "    j beat",
        "  done &",
        "  j start",
        "  wait $!",
        "fi",
      ];
      await kubectl.withObject(scriptPod(namespace, "leader", { journal, lines }), "apply");
      await waitForLease(
        environment,
        { namespace, name: "my-service-leader", what: "the loop to have renewed twice" },
        ({ status }) => (status.hold?.renewals ?? 0) >= 2,
      );
      const patch = '{"status":{"phase":"Available","holder":""}}';
      await kubectl("-n", namespace, "patch", "klease", "my-service-leader", "--type=merge", "-p", patch);
      await waitForEnded({ journal }, 1);
      const { phase, log } = await outputOf(environment, namespace, "leader");
      expect(phase).toBe("Failed");
      expect(log).toContain("lost, shutting down");
      const { status } = await readLease(environment, namespace, "my-service-leader");
      expect(status.hold).toBeUndefined();
      expect(status.history).toMatchObject([{ reason: "Forced", by: "admin" }]);
      const described = await kubectl("-n", namespace, "describe", "klease", "my-service-leader");
      expect(described).toMatch(/Forced .*ended: Forced by admin/);
    },
  },
  {
    name: "scripts: a klease that is not renewable ends after its ttl, however often it is renewed",
    needsKubelet,
    async run(environment) {
      const leases = { "app-init": { ttl: "4s", renewable: false } };
      const { namespace, journal } = await prepare(environment, leases);
      const lines = [
        "koncli lease acquire app-init --holder $HOSTNAME || exit 8",
        "j start",
        "koncli lease renew app-init --holder $HOSTNAME && exit 9",
        "koncli lease acquire app-init --holder second --wait --timeout=30s || exit 7",
        "j end",
        "koncli lease release app-init --holder second",
      ];
      await environment.kubectl.withObject(scriptPod(namespace, "init", { journal, lines }), "apply");
      const { phase, log } = await outputOf(environment, namespace, "init");
      expect({ phase, log }).toMatchObject({ phase: "Succeeded" });
      const [run] = await journal.runs();
      expect((run?.toMs ?? 0) - (run?.fromMs ?? 0)).toBeGreaterThan(4_000);
      const { history } = (await readLease(environment, namespace, "app-init")).status;
      expect(history).toMatchObject([{ holder: "second" }, { holder: "init", reason: "Expired" }]);
    },
  },
  {
    name: "scripts: every klease manifest and troubleshooting command does what the project promised",
    home: "kubelet",
    async run(environment) {
      const { kubectl } = environment;
      const namespace = await environment.createNamespace();
      const k = (...args: string[]) => kubectl("-n", namespace, ...args);
      const manifests = {
        "singleton-job": { ttl: "30m" },
        "backup-job": { ttl: "4h" },
        "schema-migration": { ttl: "30m", priority: 100 },
        "service-leader": { ttl: "30s", renewable: true },
        "my-lease": { ttl: "10m" },
      };
      const items = Object.entries(manifests).map(([name, spec]) => ({
        apiVersion: API_VERSION,
        kind: "Lease",
        metadata: { namespace, name },
        spec,
      }));
      await kubectl.withObject({ apiVersion: "v1", kind: "List", items }, "apply");
      await k("wait", "--for=condition=Ready", "klease", "--all", "--timeout=30s");
      const withStatus = {
        apiVersion: API_VERSION,
        kind: "Lease",
        metadata: { namespace, name: "db-migration" },
        spec: { ttl: "10m", priority: 1 },
        status: { phase: "Held", holder: "pod-xyz-123" },
      };
      await kubectl.withObject(withStatus, "create");
      await k("wait", "--for=condition=Ready", "klease/db-migration", "--timeout=30s");
      expect((await readLease(environment, namespace, "db-migration")).status.hold).toBeUndefined();

      const request = {
        apiVersion: API_VERSION,
        kind: "LeaseRequest",
        metadata: { namespace, name: "by-hand" },
        spec: { lease: "my-lease", holder: "dead-holder" },
      };
      await kubectl.withObject(request, "apply");
      await waitForLease(
        environment,
        { namespace, name: "my-lease", what: "the request to be granted" },
        ({ status }) => status.hold?.holder === "dead-holder",
      );
      const field = (path: string) => k("get", "klease", "my-lease", "-o", `jsonpath={.${path}}`);
      expect(await field("status.holder")).toBe("dead-holder");
      expect(Date.parse(await field("status.expires"))).toBeGreaterThan(Date.now());
      expect(await k("describe", "klease", "my-lease")).toMatch(/granted to dead-holder/);
      await expect(k("get", "lease", "my-lease")).rejects.toThrow("leases.coordination.k8s.io");
      await k("patch", "klease", "my-lease", "--type=merge", '-p={"spec":{"priority":50}}');
      expect(await field("spec.priority")).toBe("50");

      await expect(
        k("patch", "klease", "my-lease", "--type=merge", '-p={"status":{"holder":"me"}}'),
      ).rejects.toThrow(/status/);
      await k(
        "patch",
        "klease",
        "my-lease",
        "--type=merge",
        '-p={"status":{"phase":"Available","holder":""}}',
      );
      await waitForLease(
        environment,
        { namespace, name: "my-lease", what: "the klease to be free" },
        ({ status }) => status.hold === undefined,
      );
      expect((await readLease(environment, namespace, "my-lease")).status.history).toMatchObject([
        { holder: "dead-holder", reason: "Forced", by: "admin" },
      ]);
    },
  },
];

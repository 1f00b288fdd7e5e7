import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { isBrief } from "./test/extent.ts";

/** A real cluster takes seconds to answer, and minutes to be built for the first time. */
const onCluster = { testTimeout: 120_000, hookTimeout: 1_500_000, fileParallelism: false };
/** Which of them run at a time is said by test/e2e/schedule.ts. */
const scenarios = { ...onCluster, maxConcurrency: 1_000 };
const integration = {
  ...onCluster,
  globalSetup: ["test/integration/global-setup.ts"],
  fileParallelism: true,
  maxConcurrency: 6,
  // A process for each file would load all modules anew.
  isolate: false,
};
const SIM = "test/unit/sim/**/*.test.ts";
// As many workers as there are cores in the smallest machine: vitest itself mostly waits.
const unit = { testTimeout: 30_000, maxWorkers: 2 };
/** These start clusters, nodes or many processes of their own, and mostly wait. All others only talk to the shared API server. */
const WITH_CLUSTERS = [
  "test/integration/admission-{leases,requests}.test.ts",
  "test/integration/attacks/*.test.ts",
  "test/integration/{clocks,cluster,deploy,failpoints,koncli-doctor,lease-client,node-loss,replaced-ca,trial}.test.ts",
  "test/integration/install/{certs,helm}.test.ts",
  "test/integration/monitoring/scrape.test.ts",
  "test/integration/process-node*.test.ts",
  "test/integration/tracing.test.ts",
];

/** What `make test` leaves to the night. CONTRIBUTING.md says what each of them shows. */
const AT_NIGHT = isBrief(process.env)
  ? [
      "test/integration/dashboard/{many-rows,page}.test.ts",
      "test/integration/install/{certs,helm}.test.ts",
      "test/integration/monitoring/scrape.test.ts",
      "test/integration/{cluster,node-loss,replaced-ca,tracing,trial}.test.ts",
    ]
  : [];

/** Files that wait the longest: whatever else there is fits beside them. */
const LONGEST = [
  "integration/clocks.test.ts",
  "integration/lease-client.test.ts",
  "unit/gate-api/ill-replica.test.ts",
  "unit/gate/elsewhere.test.ts",
  "unit/gate/process.test.ts",
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const isLong = ({ moduleId }: TestSpecification) => LONGEST.some((path) => moduleId.endsWith(path));
    const sorted = await super.sort(files);
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: { ...unit, name: "unit", include: ["test/unit/**/*.test.ts"], exclude: [SIM], isolate: false },
      },
      // Some of these replace modules, which other files must not see.
      { test: { ...unit, name: "sim", include: [SIM] } },
      {
        test: {
          ...integration,
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          exclude: [...WITH_CLUSTERS, ...AT_NIGHT],
          maxWorkers: 2,
        },
      },
      {
        test: {
          ...integration,
          name: "integration-clusters",
          include: WITH_CLUSTERS,
          exclude: AT_NIGHT,
          maxWorkers: 3,
          // One run of vitest may have two numbers of workers only in groups.
          sequence: { groupOrder: 1 },
        },
      },
      // One suite of scenarios, on either node.
      { test: { ...scenarios, name: "scenarios-process", include: ["test/e2e/process.test.ts"] } },
      { test: { ...scenarios, name: "scenarios-kubelet", include: ["test/e2e/kubelet.test.ts"] } },
      { test: { ...scenarios, name: "scenarios-trial", include: ["test/e2e/trial.test.ts"] } },
      { test: { ...onCluster, name: "installs", include: ["test/e2e/installs.test.ts"] } },
      { test: { ...onCluster, name: "docs", include: ["test/docs/docs.test.ts"] } },
    ],
  },
});

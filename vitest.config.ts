import { defineConfig } from "vitest/config";

/** A real cluster takes seconds to answer, and minutes to be built for the first time. */
const onCluster = { testTimeout: 120_000, hookTimeout: 1_500_000, fileParallelism: false };

export default defineConfig({
  test: {
    projects: [
      { test: { name: "unit", include: ["test/unit/**/*.test.ts"], testTimeout: 30_000 } },
      {
        test: {
          name: "integration",
          include: ["test/integration/**/*.test.ts"],
          globalSetup: ["test/integration/global-setup.ts"],
          ...onCluster,
        },
      },
      // One suite of scenarios, on either node.
      { test: { name: "scenarios-process", include: ["test/e2e/process.test.ts"], ...onCluster } },
      { test: { name: "scenarios-kubelet", include: ["test/e2e/kubelet.test.ts"], ...onCluster } },
    ],
  },
});

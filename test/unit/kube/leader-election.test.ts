import { KubeConfig } from "@kubernetes/client-node";
import { expect, test } from "vitest";
import { createKubeClient } from "../../../src/kube/client.ts";
import { createLeaderElector } from "../../../src/kube/leader-election.ts";
import { systemClock } from "../../../src/shared/clock.ts";
import { createLogger } from "../../../src/shared/log.ts";

const kubeConfig = new KubeConfig();
kubeConfig.loadFromClusterAndUser(
  { name: "none", server: "https://127.0.0.1:9", skipTLSVerify: false },
  { name: "nobody" },
);

test.each([
  [{ identity: "" }, "the identity must not be empty"],
  [{ retryPeriodMs: 0 }, "retryPeriodMs must be above 0"],
  [{ retryPeriodMs: Number.NaN }, "retryPeriodMs must be above 0"],
  [{ renewDeadlineMs: 1_000 }, "renewDeadlineMs (1000) must be more than retryPeriodMs (1000)"],
  [{ leaseDurationMs: 4_000 }, "leaseDurationMs (4000) must be more than renewDeadlineMs (4000)"],
  [{ leaseDurationMs: 5_500 }, "leaseDurationMs (5500) must be whole seconds"],
])("times that cannot work are refused: %o", (changed, message) => {
  const options = {
    client: createKubeClient({ kubeConfig, userAgent: "test" }),
    namespace: "ns",
    name: "election",
    identity: "me",
    clock: systemClock(),
    logger: createLogger({ level: "silent" }),
    onStartedLeading: async () => undefined,
  };
  expect(() => createLeaderElector(options)).not.toThrow();
  expect(() => createLeaderElector({ ...options, ...changed })).toThrow(message);
});

import { buildInstall, type Install, startKubeletEnvironment } from "./kubelet-environment.ts";
import { scenarioSuite } from "./suite.ts";

const { env, stderr: stream } = process;
/** A lost node is noticed sooner than after the default of 50 s, but not during the API server outages of scenarios. */
const flags = { "kube-controller-manager": ["--node-monitor-grace-period=25s"] };

/** One image for all clusters. */
let install: Promise<Install> | undefined;

scenarioSuite({
  node: "kubelet",
  env,
  width: 7,
  apart: 2,
  start() {
    install ??= buildInstall(stream);
    return startKubeletEnvironment({ env, stream, flags, install });
  },
});

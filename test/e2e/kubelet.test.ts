import { startKubeletEnvironment } from "./kubelet-environment.ts";
import { scenarioSuite } from "./suite.ts";

scenarioSuite("kubelet", () => startKubeletEnvironment({ env: process.env, stream: process.stderr }));

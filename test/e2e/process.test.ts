import { startProcessEnvironment } from "./process-environment.ts";
import { scenarioSuite } from "./suite.ts";

scenarioSuite("process", () => startProcessEnvironment({ env: process.env, stream: process.stderr }));

import { afterAll, beforeAll, describe, test } from "vitest";
import type { Environment, Scenario } from "./environment.ts";
import { SCENARIOS } from "./scenarios.ts";

const DEFAULT_TIMEOUT_MS = 120_000;

/** Runs every scenario on one node: those that disturb nobody side by side first, then the others one after the other. */
export function scenarioSuite(node: Environment["node"], start: () => Promise<Environment>): void {
  describe(`on the ${node} node`, () => {
    let environment: Environment;
    beforeAll(async () => {
      environment = await start();
    });
    afterAll(async () => {
      await environment?.stop();
    });

    const together = SCENARIOS.filter(({ alone }) => !alone);
    const alone = SCENARIOS.filter((scenario) => scenario.alone);
    describe.concurrent("side by side", () => {
      for (const scenario of together) define(scenario, node, () => environment);
    });
    describe("alone", () => {
      for (const scenario of alone) define(scenario, node, () => environment);
    });
  });
}

function define(scenario: Scenario, node: Environment["node"], environment: () => Environment): void {
  const { name, needsKubelet, isMeasured, timeoutMs = DEFAULT_TIMEOUT_MS, run } = scenario;
  test(name, { timeout: timeoutMs, retry: isMeasured ? 2 : 0 }, async (context) => {
    if (needsKubelet && node === "process") return context.skip(`needs a kubelet: ${needsKubelet}`);
    context.onTestFailed(async () => {
      process.stderr.write(
        `--- konductor, after "${name}" failed\n${await environment().konductor.logs().catch(String)}\n`,
      );
    });
    const shared = environment();
    await run({ ...shared, report: (figure) => shared.report({ ...figure, scenario: name }) });
  });
}

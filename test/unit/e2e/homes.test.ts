import { expect, test } from "vitest";
import { homeOf } from "../../e2e/environment.ts";
import { ROWS } from "../../e2e/rows.ts";
import { SCENARIOS } from "../../e2e/scenarios.ts";
import { withoutVariants } from "../../e2e/variants.ts";

test("every scenario has a home where it can run", () => {
  const homeless = SCENARIOS.filter((scenario) => scenario.needsKubelet && homeOf(scenario) !== "kubelet");
  expect(homeless.map(({ name }) => name)).toEqual([]);
});

test("the life table is shown on a kubelet, except for failures of konductor or the control plane alone", () => {
  const elsewhere = SCENARIOS.filter((scenario) => scenario.row && homeOf(scenario) !== "kubelet");
  expect(new Set(elsewhere.map(({ row }) => row))).toEqual(
    new Set(["konductor, API server or etcd away", "arbiter killed, two arbiters at once"]),
  );
});

test("scenario names are unique", () => {
  const names = SCENARIOS.map(({ name }) => name);
  expect(names).toEqual([...new Set(names)]);
});

test("make test plays a scenario of each row of the life table, also without variants", () => {
  const played = withoutVariants(SCENARIOS);
  expect(played.length).toBeLessThan(SCENARIOS.length);
  expect(ROWS.filter((row) => !played.some((scenario) => scenario.row === row))).toEqual([]);
});

import { expect, test } from "vitest";
import { homeOf } from "../../e2e/environment.ts";
import { SCENARIOS } from "../../e2e/scenarios.ts";

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

import { expect, test } from "vitest";
import { readOptions } from "../../../tools/demo/options.ts";

test("uses a real node where possible, and the process node elsewhere", () => {
  expect(readOptions({}, true)).toEqual({ cluster: "kubelet", guard: true });
  expect(readOptions({}, false)).toEqual({ cluster: "process", guard: true });
});

test("uses what is asked for", () => {
  expect(readOptions({ CLUSTER: "current", GUARD: "off" }, true)).toEqual({
    cluster: "current",
    guard: false,
  });
  expect(readOptions({ CLUSTER: "process", GUARD: "on" }, true)).toEqual({ cluster: "process", guard: true });
});

test.for([
  [{ CLUSTER: "kind" }, /CLUSTER=kind .* kubelet, process, current/],
  [{ CLUSTER: "kubelet" }, /root/],
  [{ GUARD: "0" }, /GUARD=0 .* on or off/],
] as const)("refuses %j", ([env, message]) => {
  expect(() => readOptions(env, false)).toThrow(message);
});

import { describe, expect, test } from "vitest";
import { commandLine, hostCommand } from "../../cluster/process-node/command-line.ts";
import { ContainerConfigError, containerEnv, expand } from "../../cluster/process-node/environment.ts";
import type { Container, Pod } from "../../cluster/process-node/pod.ts";
import { samplePod } from "./samples.ts";

const paths = {
  bundleDir: "/work/dist",
  commandPaths: { node: "/host/node", "/usr/bin/node": "/host/node" },
};
const addresses = { hostIp: "127.0.0.1", podIp: "127.64.0.1" };

function podWith(container: object): { pod: Pod; container: Container } {
  const metadata = { name: "pod", namespace: "ns", uid: "uid-1", labels: { app: "web" } };
  const pod = samplePod({ containers: [{ name: "main", ...container }] }, [], { metadata });
  const [main] = pod.containers;
  if (!main) throw new Error("the pod has no container");
  return { pod, container: main };
}

describe("a command line", () => {
  test("is the host's program with the image's files", () => {
    const { container } = podWith({
      command: ["/usr/bin/node", "/konductor/gate.js"],
      args: ["keep", "$(MODE)"],
    });
    expect(commandLine(container, { MODE: "fast" }, paths)).toEqual([
      "/host/node",
      "/work/dist/gate.js",
      "keep",
      "fast",
    ]);
  });

  test("of a hook is not expanded", () => {
    expect(hostCommand(["node", "/konductor/gate.js", "$(MODE)"], paths)).toEqual([
      "/host/node",
      "/work/dist/gate.js",
      "$(MODE)",
    ]);
  });

  test("that only the image could name is refused", () => {
    const { container } = podWith({ args: ["serve"] });
    expect(() => commandLine(container, {}, paths)).toThrow(ContainerConfigError);
  });
});

describe("the environment", () => {
  const env = (entries: readonly object[]) => {
    const { pod, container } = podWith({ env: entries });
    return containerEnv(pod, container, addresses, { PATH: "/bin" });
  };
  const field = (name: string, fieldPath: string) => ({ name, valueFrom: { fieldRef: { fieldPath } } });

  test("has the pod's values over the base, and later values may use earlier ones", () => {
    expect(
      env([
        { name: "A", value: "1" },
        { name: "B", value: "$(A)$(C)" },
        { name: "PATH", value: "/own" },
      ]),
    ).toEqual({
      A: "1",
      B: "1$(C)",
      PATH: "/own",
    });
  });

  test("has the pod's fields", () => {
    const names = [
      "metadata.name",
      "metadata.uid",
      "spec.nodeName",
      "status.podIP",
      "metadata.labels['app']",
    ];
    const found = env(names.map((path, index) => field(`F${index}`, path)));
    expect(found).toMatchObject({ F0: "pod", F1: "uid-1", F2: "node", F3: "127.64.0.1", F4: "web" });
  });

  test("from an unknown source is refused", () => {
    expect(() => env([{ name: "X", valueFrom: { secretKeyRef: { name: "s", key: "k" } } }])).toThrow(
      ContainerConfigError,
    );
    expect(() => env([field("X", "spec.priority")])).toThrow(ContainerConfigError);
  });
});

test.each([
  ["$(A) and $(B)", "1 and $(B)"],
  ["$$(A)", "$(A)"],
  ["$$$$", "$$"],
  ["$A $", "$A $"],
])("%s expands to %s", (text, expected) => {
  expect(expand(text, { A: "1" })).toBe(expected);
});

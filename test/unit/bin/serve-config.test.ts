import { describe, expect, test } from "vitest";
import { readServeConfig } from "../../../src/bin/serve/config.ts";
import { PLATFORMS } from "../../../tools/image/platform.ts";

const POD = {
  POD_NAME: "konductor-1",
  POD_NAMESPACE: "konductor-system",
  KONDUCTOR_IMAGE: "konductor:0.1.0",
};

test("the environment of deploy/ is enough", () => {
  expect(readServeConfig([], POD)).toEqual({
    namespace: "konductor-system",
    identity: "konductor-1",
    electionTimes: { leaseDurationMs: 6_000, renewDeadlineMs: 4_000, retryPeriodMs: 1_000 },
    image: "konductor:0.1.0",
    nodePath: "/usr/bin/node",
    imageArchitectures: PLATFORMS.map(({ architecture }) => architecture),
    imagePullSecrets: [],
    runAsUser: 65_532,
    lives: { caMs: 365 * 86_400_000, servingMs: 21 * 86_400_000 },
    resources: { requests: {}, limits: {} },
    bindAddress: "0.0.0.0",
    securePort: 8443,
    healthPort: 8080,
    metricsLeases: [],
    selfFencing: "auto",
    createMissingLeases: true,
    writeCaBundle: true,
    logLevel: "info",
    tlsAddresses: [],
  });
});

test("a flag wins over the environment", () => {
  expect(readServeConfig(["--identity=other", "--image", "x"], POD)).toMatchObject({
    identity: "other",
    image: "x",
  });
});

test("the processors of an image that was built for others than ours", () => {
  const flags = ["--image-architecture=amd64", "--image-architecture=s390x"];
  expect(readServeConfig(flags, POD).imageArchitectures).toEqual(["amd64", "s390x"]);
});

test("the user of injected containers, or none", () => {
  const user = (value: string) => readServeConfig(["--run-as-user", value], POD).runAsUser;
  expect([user("1000"), user("none")]).toEqual([1_000, undefined]);
});

test("the program of injected containers", () => {
  expect(readServeConfig(["--gate-program=/injection/program"], POD).gateProgram).toBe("/injection/program");
});

test("requests and limits of injected containers", () => {
  expect(readServeConfig(["--resources", "requests.cpu=50m"], POD)).toMatchObject({
    resources: { requests: { cpu: "50m" }, limits: {} },
  });
});

test("kleases with metrics of their own, each once", () => {
  const flags = (...values: string[]) => values.map((value) => `--metrics-lease=${value}`);
  const named = readServeConfig(flags("team-a/nightly", "b/a.b", "b/a.b"), POD).metricsLeases;
  expect(named).toEqual([
    { namespace: "team-a", name: "nightly" },
    { namespace: "b", name: "a.b" },
  ]);
  const many = Array.from({ length: 51 }, (_, i) => `ns/run-${i}`);
  expect(readServeConfig(flags(...many.slice(1)), POD).metricsLeases).toHaveLength(50);
  expect(() => readServeConfig(flags(...many), POD)).toThrow("51 kleases are too many; name 50 at most");
});

test("a folder with the certificate", () => {
  expect(readServeConfig(["--cert-dir=/certs"], POD)).toMatchObject({ certDir: "/certs" });
});

test("the election's times, as durations", () => {
  const flags = ["lease-duration=3s", "renew-deadline=2s", "retry-period=500ms"];
  expect(
    readServeConfig(
      flags.map((flag) => `--leader-elect-${flag}`),
      POD,
    ),
  ).toMatchObject({ electionTimes: { leaseDurationMs: 3_000, renewDeadlineMs: 2_000, retryPeriodMs: 500 } });
});

describe("one sentence says what is wrong and what is allowed", () => {
  test.each([
    [["--self-fencing=maybe"], '--self-fencing: "maybe" is not allowed; use auto, always, never'],
    [
      ["--node-path=/data/node"],
      '--node-path: "/data/node" is not allowed; use /usr/bin/node, /usr/local/bin/node, /nodejs/bin/node',
    ],
    [["--log-level=loud"], '--log-level: "loud" is not allowed; use trace, debug, info, warn, error'],
    [["--secure-port=70000"], '--secure-port: "70000" is not allowed; use a port from 0 to 65535'],
    [["--create-missing-leases=no"], '--create-missing-leases: "no" is not allowed; use true, false'],
    [
      ["--leader-elect-lease-duration=soon"],
      '--leader-elect-*: "soon" is not a Go duration such as "10m" or "1h30m"',
    ],
    [
      ["--leader-elect-lease-duration=4s"],
      "leader election: leaseDurationMs (4000) must be more than renewDeadlineMs (4000)",
    ],
    [["--run-as-user=0"], '--run-as-user: "0" is not allowed; use none, or a number from 1 to 2147483647'],
    [
      ["--ca-duration=24h", "--certificate-duration=5h"],
      '--certificate-duration: "5h" is not allowed; use at most 4h, a sixth of --ca-duration',
    ],
    [["--ca-duration=1y"], '--ca-duration: "1y" is not allowed; use a Go duration of at least 5s'],
    [
      ["--cert-dir=certs"],
      '--cert-dir: "certs" is not allowed; use the absolute path of a folder with tls.crt, tls.key and ca.crt',
    ],
    [["--resources=cpu=1"], '--resources: "cpu=1" is not allowed; use a list such as "requests.cpu=50m'],
    [
      ["--metrics-lease=nightly"],
      '--metrics-lease: "nightly" is not allowed; use NAMESPACE/NAME of a klease',
    ],
    [["--metrics-lease=ns/Nightly"], '"ns/Nightly" is not allowed'],
    [["--metrics-lease=ns/a/b"], '"ns/a/b" is not allowed'],
    [["--bogus"], /--bogus/],
  ])("%j", (args, sentence) => {
    expect(() => readServeConfig(args, POD)).toThrow(sentence);
  });

  test("where the environment says nothing", () => {
    expect(() => readServeConfig([], { POD_NAME: "a" })).toThrow("set --image or KONDUCTOR_IMAGE");
    expect(() => readServeConfig([], { KONDUCTOR_IMAGE: "a" })).toThrow("set --identity or POD_NAME");
  });
});

describe("traces", () => {
  const tracingOf = (...flags: string[]) => readServeConfig(flags, POD).tracing;

  test("are off unless a receiver is named", () => {
    expect(tracingOf()).toBeUndefined();
    expect(tracingOf("--tracing-sampling=0.5")).toBeUndefined();
    // An operator of OpenTelemetry may set it for every pod.
    const env = { ...POD, OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318" };
    expect(readServeConfig([], env).tracing).toBeUndefined();
  });

  test.each([
    ["1", 1],
    ["0", 0],
    ["0.05", 0.05],
    [".5", 0.5],
  ])("are recorded by a share of %s", (share, ratio) => {
    const endpoint = "https://collector.monitoring:4318/otlp";
    expect(tracingOf(`--tracing-endpoint=${endpoint}`, `--tracing-sampling=${share}`)).toEqual({
      endpoint,
      ratio,
    });
  });

  test.each(["", "2", "1.5", "-1", "1e-2", "NaN", "half"])("have no share %j", (share) => {
    expect(() => tracingOf(`--tracing-sampling=${share}`)).toThrow("--tracing-sampling");
  });

  test.each(["", "collector:4318", "ftp://a", "http://user:word@a:4318", "http://a/?key=1", "http://a/#x"])(
    "have no receiver %j",
    (endpoint) => {
      expect(() => tracingOf(`--tracing-endpoint=${endpoint}`)).toThrow("--tracing-endpoint");
    },
  );
});

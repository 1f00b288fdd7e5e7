import { describe, expect, test } from "vitest";
import { readServeConfig } from "../../../src/bin/serve/config.ts";

const POD = {
  POD_NAME: "konductor-1",
  POD_NAMESPACE: "konductor-system",
  KONDUCTOR_IMAGE: "konductor:0.1.0",
};

test("the environment of deploy/ is enough", () => {
  expect(readServeConfig([], POD)).toEqual({
    namespace: "konductor-system",
    identity: "konductor-1",
    image: "konductor:0.1.0",
    bindAddress: "0.0.0.0",
    securePort: 8443,
    healthPort: 8080,
    selfFencing: "auto",
    createMissingLeases: true,
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

describe("one sentence says what is wrong and what is allowed", () => {
  test.each([
    [["--self-fencing=maybe"], '--self-fencing: "maybe" is not allowed; use auto, always, never'],
    [["--log-level=loud"], '--log-level: "loud" is not allowed; use trace, debug, info, warn, error'],
    [["--secure-port=70000"], '--secure-port: "70000" is not allowed; use a port from 0 to 65535'],
    [["--create-missing-leases=no"], '--create-missing-leases: "no" is not allowed; use true, false'],
    [["--bogus"], /--bogus/],
  ])("%j", (args, sentence) => {
    expect(() => readServeConfig(args, POD)).toThrow(sentence);
  });

  test("where the environment says nothing", () => {
    expect(() => readServeConfig([], { POD_NAME: "a" })).toThrow("set --image or KONDUCTOR_IMAGE");
    expect(() => readServeConfig([], { KONDUCTOR_IMAGE: "a" })).toThrow("set --identity or POD_NAME");
  });
});

import { describe, expect, it } from "vitest";
import { OWN_RESOURCES_RULE } from "../../../src/lease/own-resources.ts";
import { podTtlMs, readAsked, readSettings } from "../../../src/lease/settings.ts";
import { TRACEPARENT_RULE } from "../../../src/lease/traceparent.ts";

const LABELS = { "konductor.io/lease": "nightly-report" };

function read(
  annotations: Record<string, string> = {},
  labels: Record<string, string> = LABELS,
  path?: string,
) {
  const result = readSettings({ labels, annotations }, path);
  return result.ok ? result.settings : result.problem;
}

describe("readSettings", () => {
  it("takes the defaults from a label alone", () => {
    expect(read()).toEqual({
      lease: "nightly-report",
      ifHeld: "wait",
      maxWaiting: 1,
      renew: true,
      gate: "init",
      startTimeoutMs: 600_000,
      onLost: "terminate",
    });
  });

  it("reads every annotation", () => {
    const annotations = {
      "konductor.io/if-held": "skip",
      "konductor.io/wait-timeout": "1h30m",
      "konductor.io/max-waiting": "3",
      "konductor.io/priority": "-7",
      "konductor.io/ttl": "15s",
      "konductor.io/renew": "false",
      "konductor.io/max-hold": "1.5h",
      "konductor.io/gate": "job",
      "konductor.io/start-timeout": "90s",
      "konductor.io/on-lost": "continue",
      "konductor.io/max-restarts": "3",
      "konductor.io/resources": "requests.cpu=50m",
      "konductor.io/token-file": "/var/run/lease",
      "trace.konductor.io/traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
      "konductor.io/injected": "0.1.0",
      "konductor.io/propagated": "{}",
      "example.org/ttl": "whatever",
    };
    expect(read(annotations)).toEqual({
      lease: "nightly-report",
      ifHeld: "skip",
      waitTimeoutMs: 5_400_000,
      maxWaiting: 3,
      priority: -7,
      ttlMs: 15_000,
      renew: false,
      maxHoldMs: 5_400_000,
      gate: "job",
      startTimeoutMs: 90_000,
      maxRestarts: 3,
      resources: { requests: { cpu: "50m" }, limits: {} },
      onLost: "continue",
      tokenFile: "/var/run/lease",
      traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    });
  });

  it.each([
    ["if-held", "Wait", "wait or skip or fail is allowed"],
    ["gate", "", "init or scheduling or job is allowed"],
    ["on-lost", "stop", "terminate or continue is allowed"],
    ["renew", "yes", "true or false is allowed"],
    ["ttl", "10", 'a Go duration such as "10m" of at least 15s is allowed'],
    ["ttl", "14.9s", 'a Go duration such as "10m" of at least 15s is allowed'],
    ["ttl", "-1m", 'a Go duration such as "10m" of at least 15s is allowed'],
    ["ttl", "", 'a Go duration such as "10m" of at least 15s is allowed'],
    ["max-hold", "0s", 'a Go duration such as "10m" that is longer than 0s is allowed'],
    ["wait-timeout", "1d", 'a Go duration such as "10m" that is longer than 0s is allowed'],
    ["start-timeout", "-1s", 'a Go duration such as "10m" that is longer than 0s is allowed'],
    ["priority", "high", "a whole number from -2147483648 to 2147483647 is allowed"],
    ["priority", "1.5", "a whole number from -2147483648 to 2147483647 is allowed"],
    ["priority", "2147483648", "a whole number from -2147483648 to 2147483647 is allowed"],
    ["max-waiting", "-1", "a whole number from 0 to 2147483647 is allowed"],
    ["max-restarts", "never", "a whole number from 0 to 2147483647 is allowed"],
    [
      "once",
      "schema v42",
      'letters, digits, "-", "_" and "." are allowed, with a letter or a digit at both ends; 63 characters at most',
    ],
    ["resources", "cpu=1", `${OWN_RESOURCES_RULE} is allowed`],
    ["token-file", "lease", 'an absolute path such as "/var/run/lease" is allowed'],
    ["token-file", "/a/../etc", 'an absolute path such as "/var/run/lease" is allowed'],
    ["token-file", "/a/./etc", 'an absolute path such as "/var/run/lease" is allowed'],
    ["token-file", "/", 'an absolute path such as "/var/run/lease" is allowed'],
    ["tll", "10m", "konductor knows no such annotation; did you mean konductor.io/ttl?"],
    ["if-hold", "wait", "konductor knows no such annotation; did you mean konductor.io/if-held?"],
    [
      "colour",
      "red",
      "konductor knows no such annotation; allowed: konductor.io/if-held, konductor.io/wait-timeout, " +
        "konductor.io/max-waiting, konductor.io/priority, konductor.io/ttl, konductor.io/renew, konductor.io/max-hold, " +
        "konductor.io/gate, konductor.io/start-timeout, konductor.io/max-restarts, konductor.io/once, konductor.io/on-lost, konductor.io/token-file, konductor.io/resources, trace.konductor.io/traceparent",
    ],
  ])("refuses %s: %j in one sentence", (name, value, rule) => {
    const field = `metadata.annotations[konductor.io/${name}]`;
    expect(read({ [`konductor.io/${name}`]: value })).toBe(
      `${field}: Invalid value: ${JSON.stringify(value)}: ${rule}`,
    );
  });

  it("refuses a traceparent in one sentence, below a prefix that konductor 0.1.0 lets pass", () => {
    expect(read({ "trace.konductor.io/traceparent": "" })).toBe(
      `metadata.annotations[trace.konductor.io/traceparent]: Invalid value: "": ${TRACEPARENT_RULE} is allowed`,
    );
  });

  it.each(["", "Nightly", "a_b", "-a", "a-", ".a", "a..b", "a.-b", "a:b"])(
    "refuses the lease name %j",
    (lease) => {
      expect(read({}, { "konductor.io/lease": lease })).toBe(
        `metadata.labels[konductor.io/lease]: Invalid value: ${JSON.stringify(lease)}: ` +
          'lower-case letters, digits, "-" and "." are allowed, with a letter or a digit at both ends and on both sides of each "."; 63 characters at most',
      );
    },
  );

  it.each(["a", "0", "a.b-c.9", "x".repeat(63)])("takes the lease name %j", (lease) => {
    expect(read({}, { "konductor.io/lease": lease })).toMatchObject({ lease });
  });

  it("ignores a slash at the end of a path", () => {
    expect(read({ "konductor.io/token-file": "/var/run/lease/" })).toMatchObject({
      tokenFile: "/var/run/lease",
    });
  });

  it("points out an annotation that was written as a label", () => {
    expect(read({}, { ...LABELS, "konductor.io/ttl": "10m" })).toBe(
      'metadata.labels[konductor.io/ttl]: Invalid value: "10m": konductor knows no such label; it belongs in the annotations',
    );
  });

  it("names the field where the user wrote it", () => {
    expect(read({ "konductor.io/ttl": "1" }, LABELS, "spec.template.metadata")).toMatch(
      /^spec\.template\.metadata\.annotations\[konductor\.io\/ttl\]: /,
    );
  });
});

describe("podTtlMs", () => {
  it.each([
    ["the annotation", 60_000, 20_000, 60_000],
    ["the Lease", undefined, 20_000, 20_000],
    ["the default of a Lease that has to be created", undefined, undefined, 600_000],
    ["at least 15 s", undefined, 5_000, 15_000],
  ])("%s", (_name, ttlMs, leaseTtlMs, expected) => {
    expect(podTtlMs(ttlMs === undefined ? {} : { ttlMs }, leaseTtlMs)).toBe(expected);
  });
});

describe("readAsked", () => {
  it("tells how a claimant waits even where its other annotations cannot be read", () => {
    const asked = readAsked("nightly", { "konductor.io/gate": "job", "konductor.io/ttl": "soon" });
    expect(asked).toMatchObject({
      mode: { gate: "job", ifHeld: "wait", onLost: "terminate" },
      settings: { ok: false, problem: expect.stringContaining("konductor.io/ttl") },
    });
  });

  it("ignores others' annotations and a gate mode that does not exist", () => {
    const asked = readAsked("nightly", { "example.org/gate": "job", "konductor.io/gate": "jobs", more: 1 });
    expect(asked.mode).toEqual({ gate: "init", ifHeld: "wait", onLost: "terminate" });
    expect(asked.settings.ok).toBe(false);
  });

  it("reads a place in a trace, whose prefix is another", () => {
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    expect(readAsked("nightly", { "trace.konductor.io/traceparent": traceparent }).settings).toMatchObject({
      settings: { traceparent },
    });
  });

  const HUGE = "1h".repeat(125_000);
  it.each([
    ["a ttl", { "konductor.io/ttl": HUGE }],
    ["a ttl of leading zeros", { "konductor.io/ttl": `${"0".repeat(250_000)}1h` }],
    ["a priority", { "konductor.io/priority": "1".repeat(250_000) }],
    ["a path", { "konductor.io/token-file": "/a".repeat(125_000) }],
    ["a mode", { "konductor.io/gate": HUGE }],
    ["a mark of ours", { "konductor.io/injected": HUGE, "konductor.io/propagated": HUGE }],
    ["somebody else's", { "example.org/notes": HUGE }],
    [
      "many unknown names",
      Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`konductor.io/x${i}`, ""])),
    ],
  ])("keeps little of what is huge: %s", (_, annotations) => {
    expect(JSON.stringify(readAsked("nightly", annotations)).length).toBeLessThan(1_000);
  });
});

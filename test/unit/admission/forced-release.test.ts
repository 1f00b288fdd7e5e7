import { describe, expect, it } from "vitest";
import { admitLease } from "../../../src/server/admission/forced-release.ts";

const ANNOTATION = "konductor.io/force-release";
const HELD = {
  phase: "Held",
  holder: "report-1",
  holderRef: { kind: "Pod", name: "report-1", uid: "u" },
  fencingToken: 7,
  history: [{ holder: "a", acquired: "2026-01-01T00:00:00Z" }],
};
const FREE = { phase: "Available", fencingToken: 7 };

const leaseWith = (status: object | undefined, value?: string, more: object = {}) => ({
  metadata: {
    name: "report",
    annotations: { note: "mine", ...(value !== undefined && { [ANNOTATION]: value }) },
  },
  spec: { ttl: "1m" },
  ...(status && { status }),
  ...more,
});
const released = (status: object) => ({ ...status, phase: "Available", holder: "" });
const update = (object: Record<string, unknown>, oldObject: object) =>
  admitLease(object, { operation: "UPDATE", username: "ada", oldObject });
const create = (object: Record<string, unknown>) =>
  admitLease(object, { operation: "CREATE", username: "ada", oldObject: undefined });
const word = (now: boolean, token = 7, by = "ada") => JSON.stringify({ token, by, now });

describe("a forced release", () => {
  it.each<[string, object, string | undefined, string | undefined, string]>([
    ["waits for proof", HELD, undefined, undefined, word(false)],
    ["does not wait if it asks for that", HELD, undefined, '{"now":true}', word(true)],
    ["waits if it asks for that", HELD, word(true), '{"now":false}', word(false)],
    ["does not repeat what an earlier release asked for", HELD, word(true, 6), word(true, 6), word(false)],
    ["replaces another user's", HELD, word(false, 7, "bob"), word(false, 7, "bob"), word(false)],
    ["may drop what an earlier release asked for", HELD, word(true, 6), undefined, word(false)],
    [
      "may also end a hold that has expired",
      { ...HELD, phase: "Expired" },
      undefined,
      undefined,
      word(false),
    ],
  ])("%s", (_what, status, stored, sent, written) => {
    const object = leaseWith(released(status), sent);
    expect(update(object, leaseWith(status, stored))).toEqual({
      object: leaseWith(released(status), written),
      warnings: [],
    });
  });

  it.each([["{}"], ["true"], ["{"], ['{"now":"yes"}'], ['{"now":true,"by":"bob"}'], [word(true, 9, "bob")]])(
    "may carry nothing else: %s",
    (sent) => {
      expect(() => update(leaseWith(released(HELD), sent), leaseWith(HELD))).toThrow(
        `metadata.annotations[${ANNOTATION}]: Invalid value: ${JSON.stringify(sent)}: with a forced release only {"now":true} is allowed`,
      );
    },
  );

  it.each<[string, object | undefined]>([
    ["that is free", FREE],
    ["that has no status yet", undefined],
  ])("of a klease %s releases nothing, warns, and records nothing", (_what, status) => {
    const old = leaseWith(status, word(false, 6));
    const object = leaseWith(released(status ?? {}), '{"now":true}');
    expect(update(object, old)).toEqual({
      object: leaseWith(released(status ?? {}), word(false, 6)),
      warnings: ["nobody holds klease report: there is nothing to release"],
    });
    expect(update(object, leaseWith(status)).object).toEqual(leaseWith(released(status ?? {})));
  });
});

describe("a change of status", () => {
  it.each<[string, object]>([
    ["of the holder", { ...HELD, holder: "me" }],
    ["of the phase", { ...HELD, phase: "Available" }],
    ["that frees and changes more", { ...released(HELD), fencingToken: 8 }],
    ["that frees and removes more", { ...released(HELD), history: [] }],
    ["to nothing at all", {}],
    ["to the status of another version", FREE],
  ])("%s is refused, with what is allowed", (_what, status) => {
    expect(() => update(leaseWith(status), leaseWith(HELD))).toThrow(
      "status of klease report is written by konductor alone; leave it out, or free the klease by " +
        `kubectl patch klease report --type=merge -p '{"status":{"phase":"Available","holder":""}}'`,
    );
  });

  it.each([
    ["the same", HELD],
    ["none", undefined],
  ])("that changes nothing is allowed: %s", (_what, status) => {
    const object = leaseWith(status, undefined, { spec: { ttl: "2m" } });
    expect(update(object, leaseWith(HELD))).toEqual({ object, warnings: [] });
  });

  it("at creation is none", () => {
    const object = leaseWith(HELD);
    expect(create(object)).toEqual({ object, warnings: [] });
  });
});

describe("konductor's record of a forced release", () => {
  const REFUSAL = `metadata.annotations[${ANNOTATION}] is written by konductor alone, when klease report is taken from its holder`;

  it.each<[string, object, string | undefined, string | undefined]>([
    ["set", HELD, undefined, word(true)],
    ["set on a free klease", FREE, undefined, word(true, 8)],
    ["changed", HELD, word(false), word(true)],
    ["removed before the hold is over", HELD, word(false), undefined],
  ])("may not be %s", (_what, status, stored, sent) => {
    expect(() => update(leaseWith(status, sent), leaseWith(status, stored))).toThrow(REFUSAL);
  });

  it("is dropped from an exported manifest", () => {
    expect(create(leaseWith(undefined, word(true)))).toEqual({
      object: leaseWith(undefined),
      warnings: [
        `metadata.annotations[${ANNOTATION}] was ignored: konductor alone writes it; leave it out of the manifest`,
      ],
    });
  });

  it.each<[string, object, string | undefined]>([
    ["kept", HELD, word(false)],
    ["removed once the hold is over", FREE, undefined],
    ["removed under another hold", { ...HELD, fencingToken: 8 }, undefined],
  ])("may be %s", (_what, status, sent) => {
    const object = leaseWith(status, sent);
    expect(update(object, leaseWith(status, word(false)))).toEqual({ object, warnings: [] });
  });
});

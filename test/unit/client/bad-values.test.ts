import { expect, test } from "vitest";
import { checkWish } from "../../../src/client/check-wish.ts";
import { koncli } from "../../integration/koncli.ts";

/** This kubeconfig does not exist, so a command that tried to send anything would fail with another error. */
const NOWHERE = ["--kubeconfig", "/nowhere/kubeconfig", "lease"];

test.each([
  ["acquire x --ttl 5", /--ttl.* '5' .*Go duration/],
  ["acquire x --ttl 0s", /--ttl.* '0s' .*longer than 0s/],
  ["acquire x --ttl -5m", /--ttl.* '-5m' .*longer than 0s/],
  ["acquire x --wait --timeout x", /--timeout.* 'x' .*Go duration .* -1s waits for ever/],
  ["acquire x --timeout 5m", /--timeout needs --wait/],
  ["acquire x --priority 1.5", /--priority.* '1.5' .*whole number/],
  ["acquire x --priority 2147483648", /--priority.* whole number/],
  ["acquire x --holder ", /--holder.* '' .*1 to 253/],
  [`acquire x --holder ${"h".repeat(254)}`, /--holder.*1 to 253/],
  ["acquire Nightly_Report", /Nightly_Report.* lower-case letters/],
  ["acquire", /missing required argument 'name'/],
  ["renew x --holder ", /--holder/],
  ["release x --now", /--now is allowed with --force only/],
  ["release x --token 41", /--token is allowed with --force only/],
  ["release x --force --token first", /--token.* 'first' .*whole number/],
  ["release x --force --holder h", /leave --holder out, or --force/],
  ["exec x --grace nine -- true", /--grace.* 'nine' .*Go duration/],
  ["exec x --grace -1s -- true", /--grace.* '-1s' .*not negative/],
  ["exec x true", /"--" has to stand before the command, as in: koncli lease exec NAME -- true/],
  ["exec x --", /missing required argument 'command'/],
])("koncli lease %s is refused with one sentence, before anything is sent", async (line, sentence) => {
  const { code, out, err } = await koncli([...NOWHERE, ...line.split(" ")]);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toMatch(sentence);
  expect(err.trimEnd().split("\n")).toHaveLength(1);
});

test.each([
  [{ lease: "" }, /^lease "": the name/],
  [{ holder: "" }, /^holder "": a name of 1 to 253/],
  [{ ttlMs: 0 }, /^ttlMs 0: /],
  [{ ttlMs: Number.POSITIVE_INFINITY }, /^ttlMs /],
  [{ timeoutMs: Number.NaN }, /^timeoutMs /],
  [{ timeoutMs: -1 }, /^timeoutMs -1: 0 \(one try\)/],
  [{ graceMs: -1 }, /^graceMs -1: /],
  [{ priority: 0.5 }, /^priority 0.5: /],
])("a program that asks for %o is told what is allowed", (change, sentence) => {
  const wish = { lease: "nightly", holder: "ci", timeoutMs: 0, ...change };
  expect(() => checkWish(wish)).toThrow(sentence);
  expect(() =>
    checkWish({ ...wish, lease: "x", holder: "h", timeoutMs: Number.POSITIVE_INFINITY }),
  ).not.toThrow(/lease|holder|timeoutMs/);
});

import { expect, test } from "vitest";
import { exitCodeOf, sentenceOf, usageSentence } from "../../../src/cli/failure.ts";
import { statusError } from "../../../src/kube/status-error.ts";
import { KonductorError } from "../../../src/shared/errors.ts";

test.each([
  [
    [
      "Held",
      "Conflict",
      "QueueFull",
      "TimedOut",
      "Withdrawn",
      "NotHolder",
      "NotRenewable",
      "Revoked",
      "Lost",
    ],
    1,
  ],
  [["BadRequest", "Forbidden", "Unauthenticated", "NotFound", "Invalid", "Unreachable", "Internal"], 2],
] as const)("%j end koncli with %i", (codes, exitCode) => {
  for (const code of codes) expect(exitCodeOf(new KonductorError(code, "no"))).toBe(exitCode);
});

test("an error that is not ours ends koncli with 2", () => {
  expect(exitCodeOf(new TypeError("bug"))).toBe(2);
});

test("an unknown resource and a missing object lead to different sentences", () => {
  const unknown = statusError("list klease in a", 404, "404 page not found\n");
  expect(sentenceOf(unknown)).toMatch(/^konductor is not installed in this cluster: /);
  const missing = { kind: "Status", reason: "NotFound", message: 'namespaces "a" not found' };
  const sentence = sentenceOf(statusError("create klease a/b", 404, missing));
  expect(sentence).toBe('cannot create klease a/b: namespaces "a" not found (HTTP 404)');
});

test("a sentence stays one line, whatever a plugin or a holder's name contains", () => {
  const cause = new Error("plugin failed:\nno login\u001b[2J");
  expect(sentenceOf(new KonductorError("Unauthenticated", "cannot ask", { cause }))).toBe(
    "cannot ask: plugin failed: no login [2J; check the user of the kubeconfig's context; its token may have expired",
  );
});

test.each([
  ["error: unknown command 'leas'\n(Did you mean lease?)", "unknown command 'leas'; did you mean lease?"],
  [
    "error: unknown command 're'\n(Did you mean one of renew, release?)",
    "unknown command 're'; did you mean one of renew, release?",
  ],
  ["error: unknown option '-x'", "unknown option '-x'; koncli --help shows what there is"],
  [
    "error: option '-o' argument 'xml' is invalid. Allowed choices are a, b.",
    "option '-o' argument 'xml' is invalid: allowed choices are a, b",
  ],
  [
    "error: too many arguments for 'list'. Expected 0 arguments but got 1: a. B.",
    "too many arguments for 'list': expected 0 arguments but got 1: a. B; koncli --help shows what there is",
  ],
])("%j becomes one sentence", (message, sentence) => {
  expect(usageSentence(message)).toBe(sentence);
});

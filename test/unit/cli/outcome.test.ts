/** What a command has done is said, also where the klease cannot be read afterwards. */
import { expect, test } from "vitest";
import type { CommandContext } from "../../../src/cli/cli-context.ts";
import { sentenceOf } from "../../../src/cli/failure.ts";
import { printOutcome } from "../../../src/cli/lease-client.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { scriptedClient } from "../client/scripted-client.ts";
import { turnedClock } from "../gate/turned-clock.ts";

const KLEASE = {
  metadata: { namespace: "ns", name: "nightly", uid: "u", creationTimestamp: "2026-01-01T00:00:00Z" },
  spec: { ttl: "1m" },
};
const cutOff = () => new KonductorError("Unreachable", "cannot get lease nightly: cut off");

/** What is printed, or the sentence on stderr, if reading the klease fails so often. */
async function outcome(failures: number, error: () => KonductorError): Promise<string> {
  const clock = turnedClock();
  let printed = "";
  let reads = 0;
  const client = scriptedClient({
    async get() {
      if (++reads <= failures) throw error();
      return KLEASE;
    },
  });
  const context = {
    ...{
      cluster: { client, namespace: "ns" },
      output: "jsonpath={.metadata.name}",
      server: { observe() {} },
    },
    print(text: string) {
      printed += text;
    },
    io: { clock, signal: new AbortController().signal },
  };
  const sentence = "klease nightly acquired by ci, token 17";
  const done = printOutcome(context as unknown as CommandContext, "nightly", sentence).catch(sentenceOf);
  await clock.turn(30_000);
  return (await done) ?? printed;
}

test("a klease that cannot be read for a moment is shown", async () => {
  expect(await outcome(3, cutOff)).toBe("nightly");
});

test("a klease that cannot be read for long, or is gone, leaves a sentence that says what was done", async () => {
  const sentence = "klease nightly acquired by ci, token 17, but cannot be shown: ";
  expect(await outcome(Number.POSITIVE_INFINITY, cutOff)).toContain(
    `${sentence}cannot get lease nightly: cut off`,
  );
  const gone = () => new KonductorError("NotFound", "gone");
  expect(await outcome(1, gone)).toContain(`${sentence}there is no klease "nightly"`);
});

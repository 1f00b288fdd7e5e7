/** An order to forget hits the success that was there when it was given. */
import { expect, test } from "vitest";
import type { ClientContext } from "../../../src/client/client-context.ts";
import { forget } from "../../../src/client/forget.ts";
import type { KubeClient } from "../../../src/kube/api.ts";
import { parseLease } from "../../../src/lease/codec.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { record } from "../../../src/shared/json.ts";
import { scriptedClient } from "./scripted-client.ts";

const klease = (resourceVersion: string, tokens: number[]) => ({
  metadata: { namespace: "ns", name: "schema", uid: "u", resourceVersion },
  spec: { ttl: "1m" },
  status: {
    done: tokens.map((token) => ({ key: "v42", holder: "ci", token, time: "2026-01-01T00:00:00Z" })),
  },
});

/** Has the work of token 5 forgotten, while somebody changes the klease to one that remembers `then`, just before the order arrives. */
async function forgetWhile(then: number[]) {
  let stored = klease("1", [5]);
  const sent: unknown[] = [];
  const client = scriptedClient({
    get: (async () => parseLease(stored)) as KubeClient["get"],
    patch: (async (_resource: unknown, _ref: unknown, patch: unknown) => {
      if (stored.metadata.resourceVersion === "1") stored = klease("2", then);
      const { uid, resourceVersion = "2" } = record(record(patch)["metadata"]);
      sent.push({ uid, resourceVersion });
      if (resourceVersion !== "2") throw new KonductorError("Conflict", "the object has been modified");
      stored = klease("3", []);
      return parseLease(stored);
    }) as KubeClient["patch"],
  });
  const context = { client, namespace: "ns", server: { observe() {} } } as unknown as ClientContext;
  const answer = await forget(context, { lease: "schema", key: "v42" }).catch((error: unknown) => error);
  return { answer, sent };
}

test("is given again where a renewal came between", async () => {
  const { answer, sent } = await forgetWhile([5]);
  expect(answer).toMatchObject({ token: 5 });
  expect(sent).toEqual([
    { uid: "u", resourceVersion: "1" },
    { uid: "u", resourceVersion: "2" },
  ]);
});

test("changes nothing where the work was done once more meanwhile", async () => {
  const { answer, sent } = await forgetWhile([6]);
  expect(answer).toMatchObject({ code: "Conflict", message: expect.stringMatching(/"v42" .*under token 6/) });
  expect(sent).toHaveLength(1);
});

test("has nothing left to do where somebody was faster", async () => {
  const { answer, sent } = await forgetWhile([]);
  expect({ answer, sent }).toMatchObject({ answer: undefined, sent: [{ resourceVersion: "1" }] });
});

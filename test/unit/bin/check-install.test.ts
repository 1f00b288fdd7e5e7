import { expect, test } from "vitest";
import { checkAccount, imageWarning } from "../../../src/bin/serve/check-install.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { accountName } from "../../../src/shared/names.ts";
import { scriptedClient } from "../client/scripted-client.ts";

const exempting = (...namespaces: string[]) =>
  scriptedClient({
    get: async <T>() =>
      ({
        webhooks: [
          { name: "pods.konductor.io" },
          ...namespaces.map((namespace) => ({
            name: "requests.konductor.io",
            matchConditions: [
              {
                name: "not-konductor-itself",
                expression: `request.userInfo.username != '${accountName(namespace)}'`,
              },
            ],
          })),
        ],
      }) as T,
  });

test("manifests for another namespace are refused, with what to do", async () => {
  await expect(checkAccount(exempting("konductor-system"), "locks")).rejects.toMatchObject({
    code: "NotReady",
    message: expect.stringMatching(
      /^webhook requests\.konductor\.io .* name deploy\/follow under `transformers`/,
    ),
  });
  // The name of one namespace may begin with that of another.
  await expect(checkAccount(exempting("locks-2"), "locks")).rejects.toMatchObject({ code: "NotReady" });
});

test("manifests for konductor's namespace, and those without such a condition, are taken", async () => {
  await checkAccount(exempting("locks"), "locks");
  await checkAccount(exempting(), "locks");
});

const KONDUCTOR = { namespace: "locks", identity: "konductor-1", image: "konductor:1" };
const running = (image: string) =>
  scriptedClient({ get: async <T>() => ({ spec: { containers: [{ image }] } }) as T });

test("a warning names both images where gate and keeper run another one than konductor's pod", async () => {
  expect(await imageWarning(running("registry.example/konductor:1"), KONDUCTOR)).toMatch(
    /run image konductor:1, and pod locks\/konductor-1 runs registry\.example\/konductor:1: name deploy\/follow/,
  );
  expect(await imageWarning(running("konductor:1"), KONDUCTOR)).toBeUndefined();
});

test("a replica outside of pods has no image to compare", async () => {
  const client = scriptedClient({
    get: async () => Promise.reject(new KonductorError("NotFound", "no such pod")),
  });
  expect(await imageWarning(client, KONDUCTOR)).toBeUndefined();
});

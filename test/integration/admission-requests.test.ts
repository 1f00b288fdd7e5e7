/** LeaseRequests of people and programs: what the API server stores of them, and who may change and delete them. */
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { text, textMap, timeMs } from "../../src/shared/json.ts";
import { API_VERSION, LEASE_LABEL } from "../../src/shared/names.ts";
import { waitFor } from "../cluster/wait.ts";
import {
  ACCOUNT,
  AS_KONDUCTOR,
  IN_NAMESPACE,
  NAMESPACE,
  OTHERS,
  request,
  type Stage,
  startStage,
} from "./admission-clients.ts";
import { WEBHOOKS_NAME } from "./admission-server.ts";

const LONG_AGO = "1970-01-01T00:00:00.000000Z";
const FAR_AHEAD = "2500-01-01T00:00:00.000000Z";
const POD = { kind: "Pod", name: "report-1", uid: "u" };

let stage: Stage;
let kubectl: Stage["kubectl"];
beforeAll(async () => {
  stage = await startStage(inject("cluster"));
  ({ kubectl } = stage);
});
afterAll(() => stage?.stop());

const create = (name: string, spec: object = {}, metadata: object = {}) =>
  stage.send(request(name, spec, metadata), "create", "--as=alice");
const readRequest = (name: string) => stage.read(`klr/${name}`);

describe("a LeaseRequest", () => {
  test("gets its sender, the current time and its label, whatever was sent", async () => {
    const forged = { requestedAt: LONG_AGO, requestedBy: "bob", renewTime: FAR_AHEAD };
    const before = Date.now();
    await create("forged", forged, { labels: { [LEASE_LABEL]: "other" } });
    const { spec, metadata } = await readRequest("forged");
    expect(spec["requestedBy"]).toBe("alice");
    expect(timeMs(spec["requestedAt"])).toBeGreaterThanOrEqual(before);
    expect(timeMs(spec["requestedAt"])).toBeLessThanOrEqual(Date.now());
    expect(spec["renewTime"]).toBe(spec["requestedAt"]);
    expect(textMap(metadata["labels"])).toEqual({ [LEASE_LABEL]: "report" });
    const change = (field: string) =>
      stage.patch("klr/forged", { spec: { [field]: LONG_AGO } }, "--as=alice");
    await expect(change("requestedAt")).rejects.toThrow("must not change");
    await expect(change("requestedBy")).rejects.toThrow("must not change");
    await kubectl("label", "klr/forged", `${LEASE_LABEL}-`, IN_NAMESPACE, "--as=alice");
    expect(textMap((await readRequest("forged")).metadata["labels"])).toEqual({ [LEASE_LABEL]: "report" });
  });

  test("for a single try is a single try by the server's clock, too", async () => {
    await create("once", { requestedAt: FAR_AHEAD, waitUntil: FAR_AHEAD });
    const { spec } = await readRequest("once");
    expect(spec["waitUntil"]).toBe(spec["requestedAt"]);
    expect(timeMs(spec["requestedAt"])).toBeLessThanOrEqual(Date.now());
  });

  test("must not claim to be a pod's", async () => {
    await expect(create("claim", { holderRef: POD })).rejects.toThrow(
      "spec.holderRef: konductor alone sets it, for pods that have proved who they are; leave it out",
    );
  });

  test.each([
    ["client-side", []],
    ["server-side", ["--server-side"]],
  ])("is left alone by further applies: %s", async (name, args) => {
    const apply = () => stage.send(request(name), "apply", "--as=alice", "--warnings-as-errors", ...args);
    await apply();
    const { spec } = await readRequest(name);
    // The second server-side apply stores the schema's default of the status.
    await apply();
    const second = await readRequest(name);
    expect(second.spec).toEqual(spec);
    await apply();
    expect(await readRequest(name)).toEqual(second);
  });

  test("is renewed with the server's time, which increases each time", async () => {
    await create("renewed");
    const renew = async (renewTime: string | null) => {
      await stage.patch("klr/renewed", { spec: { renewTime } }, "--as=alice");
      return text((await readRequest("renewed")).spec["renewTime"]) ?? "";
    };
    const before = Date.now();
    const first = await renew(FAR_AHEAD);
    expect(timeMs(first)).toBeGreaterThanOrEqual(before);
    expect(timeMs(first)).toBeLessThanOrEqual(Date.now());
    expect(await renew(null)).toBe(first);
    expect((await renew(LONG_AGO)) > first).toBe(true);
  });
});

describe("changes to a LeaseRequest", () => {
  async function expectRefused(name: string, whose: string): Promise<void> {
    const refusal = `LeaseRequest ${name} belongs to ${whose}; to change or delete it, ${OTHERS}`;
    const asBob = [`klr/${name}`, IN_NAMESPACE, "--as=bob"];
    const change = stage.patch(`klr/${name}`, { spec: { waitUntil: LONG_AGO } }, "--as=bob");
    await expect(change).rejects.toThrow(refusal);
    await expect(kubectl("label", ...asBob, "a=b")).rejects.toThrow(refusal);
    await expect(kubectl("delete", ...asBob)).rejects.toThrow(refusal);
  }

  test.each([
    ["its requester", "alice"],
    ["an admin", "ada"],
  ])("are allowed to %s, and refused to others", async (_who, user) => {
    await create(`for-${user}`);
    await expectRefused(`for-${user}`, "alice");
    await stage.patch(`klr/for-${user}`, { spec: { waitUntil: LONG_AGO } }, `--as=${user}`);
    await kubectl("delete", `klr/for-${user}`, IN_NAMESPACE, `--as=${user}`);
  });

  test("are refused if it is a pod's, also after konductor has recreated it", async () => {
    const whole = request("of-pod", { holderRef: POD, requestedBy: ACCOUNT });
    for (const object of [whole, request("put-back", { holderRef: POD })]) {
      await stage.send(object, "create", AS_KONDUCTOR);
      await expectRefused(object.metadata.name, "Pod report-1 and goes with it");
      await kubectl("delete", `klr/${object.metadata.name}`, IN_NAMESPACE, AS_KONDUCTOR);
    }
  });

  test("are refused if it is deleted as part of a collection", async () => {
    await kubectl(
      ...["create", "role", "sweep", IN_NAMESPACE],
      ...["--verb=deletecollection", "--resource=leaserequests.konductor.io"],
    );
    await kubectl("create", "rolebinding", "sweep", IN_NAMESPACE, "--role=sweep", "--user=bob");
    await create("swept");
    const path = `/apis/${API_VERSION}/namespaces/${NAMESPACE}/leaserequests`;
    await expect(kubectl("delete", `--raw=${path}`, "--as=bob")).rejects.toThrow(OTHERS);
    await readRequest("swept");
  });
});

/** The garbage collector discovers new kinds every 30 s. */
const COLLECTED_WITHIN_MS = 60_000;

describe("Kubernetes' own controllers", () => {
  async function createOwned(name: string): Promise<void> {
    await kubectl("create", "configmap", name, IN_NAMESPACE);
    const { uid } = (await stage.read(`configmap/${name}`)).metadata;
    await create(name, {}, { ownerReferences: [{ apiVersion: "v1", kind: "ConfigMap", name, uid }] });
  }

  test("collect a request with its owner", async () => {
    await createOwned("collected");
    await kubectl("delete", "configmap/collected", IN_NAMESPACE);
    await kubectl(
      ...["wait", "klr/collected", IN_NAMESPACE, "--for=delete", `--timeout=${COLLECTED_WITHIN_MS / 1_000}s`],
    );
  });

  test("remove a deleted owner from a request", async () => {
    await createOwned("orphan");
    await kubectl("delete", "configmap/orphan", IN_NAMESPACE, "--cascade=orphan");
    await waitFor({
      what: "the request to have no owner",
      withinMs: COLLECTED_WITHIN_MS,
      holds: async () => (await readRequest("orphan")).metadata["ownerReferences"] === undefined,
    });
  });

  test("delete a namespace that has requests of users and of konductor", async () => {
    const inIt = "--namespace=doomed";
    await stage.createNamespace("doomed");
    await kubectl.withObject(request("a"), "create", inIt, "--as=alice");
    await kubectl.withObject(request("b", { holderRef: POD }), "create", inIt, AS_KONDUCTOR);
    await kubectl("delete", "namespace/doomed", "--timeout=60s");
  });

  test("may all share one account", async () => {
    const user = "system:kube-controller-manager";
    await kubectl("create", "rolebinding", "shared", IN_NAMESPACE, "--clusterrole=edit", `--user=${user}`);
    await create("shared");
    await kubectl("delete", "klr/shared", IN_NAMESPACE, `--as=${user}`);
  });
});

describe("roles", () => {
  test.each([
    ["vic", "watch", "leases", true],
    ["vic", "list", "leaserequests", true],
    ["vic", "create", "leaserequests", false],
    ["alice", "create", "leases", true],
    ["alice", "patch", "leases", false],
    ["alice", "patch", "leaserequests", true],
    ["alice", "delete", "leaserequests", true],
    ["alice", "force", "leaserequests", false],
    ["alice", "update", "leaserequests/status", false],
    ["ada", "patch", "leases", true],
    ["ada", "delete", "leases", true],
    ["ada", "force", "leaserequests", true],
    ["ada", "update", "leases/status", false],
    ["ada", "patch", "leaserequests/status", false],
  ])("%s may %s %s: %s", async (user, verb, what, expected) => {
    const [resource, subresource = ""] = what.split("/");
    const answer = kubectl(
      ...["auth", "can-i", verb, `${resource}.konductor.io`, `--subresource=${subresource}`],
      ...[`--as=${user}`, IN_NAMESPACE],
    );
    expect(await answer.then(Boolean, () => false)).toBe(expected);
  });
});

test("without our webhook the policy refuses every request with a user's claims", async () => {
  await kubectl("delete", `mutatingwebhookconfiguration/${WEBHOOKS_NAME}`);
  await waitFor({
    what: "the API server to call nobody",
    withinMs: 30_000,
    holds: () =>
      create("unseen", { holderRef: POD }).then(
        () => false,
        (error: unknown) => String(error).includes("spec.holderRef is set by konductor alone"),
      ),
  });
  for (const spec of [{}, { requestedAt: LONG_AGO }, { requestedAt: LONG_AGO, requestedBy: "bob" }]) {
    await expect(create("unseen", spec)).rejects.toThrow("konductor's webhook did not see this LeaseRequest");
  }
});

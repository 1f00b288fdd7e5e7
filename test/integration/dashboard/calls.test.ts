/** What the page of `koncli dashboard` may ask for on a real API server: a forced release; and who is refused. */
import { request } from "node:http";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PATHS } from "../../../src/cli/dashboard/wire.ts";
import { list, record } from "../../../src/shared/json.ts";
import { type Dashboard, startDashboard } from "./page.ts";
import { type Stage, setStage } from "./stage.ts";

let stage: Stage;
let dashboard: Dashboard;
beforeAll(async () => {
  stage = await setStage("koncli-dashboard-calls");
  dashboard = await startDashboard(stage.cluster.kubeconfigPath, "-n", stage.namespace);
});
afterAll(async () => {
  await dashboard?.end();
  await stage?.strike();
});

describe("a forged request", () => {
  const asked = (headers: Record<string, string>, path: string = PATHS.stream) =>
    new Promise<number | undefined>((resolve, reject) => {
      const { port } = new URL(dashboard.origin);
      const sent = request({ host: "127.0.0.1", port, path, headers }, (answer) => {
        resolve(answer.statusCode);
        answer.destroy();
      });
      sent.once("error", reject).end();
    });
  const right = () => ({ authorization: `Bearer ${dashboard.token}` });

  test("with the right token and its own address is answered", async () => {
    expect(await asked(right())).toBe(200);
  });

  test("for another Host is refused, as DNS rebinding sends it", async () => {
    expect(await asked({ ...right(), host: "evil.example" })).toBe(421);
  });

  test("of another Origin is refused", async () => {
    expect(await asked({ ...right(), origin: "http://evil.example" })).toBe(403);
    expect(await asked({ ...right(), "sec-fetch-site": "cross-site" })).toBe(403);
  });

  test("without the token, or with another, is refused", async () => {
    expect(await asked({})).toBe(401);
    expect(await asked({ authorization: `Bearer ${"x".repeat(43)}` })).toBe(401);
  });
});

describe("a forced release", () => {
  test("is told before: who holds, whether the user may, what will happen", async () => {
    await stage.newLease("asked");
    await stage.grant("asked", 20);
    const where = { namespace: stage.namespace, lease: "asked" };
    const { status, body } = await dashboard.get(PATHS.preview, where);
    expect({ status, body }).toMatchObject({
      status: 200,
      body: { holder: "run-20", token: 20, allowed: true },
    });
    expect(list(record(body)["sentences"]).join(" ")).toMatch(
      /^Pod run-20 .*has held the klease since .*renewals .* are refused/,
    );
    const theirs = await startDashboard(stage.viewer, "-n", stage.namespace);
    const denied = await theirs.get(PATHS.preview, where);
    expect(denied.body).toMatchObject({ allowed: false });
    expect(JSON.stringify(denied.body)).toContain("You may not do that");
    expect(await theirs.post(PATHS.release, { ...where, token: 20, now: false })).toMatchObject({
      status: 403,
    });
    await theirs.end();
  });

  test("of a hold that is over is refused, and changes nothing", async () => {
    await stage.newLease("moved-on");
    await stage.grant("moved-on", 30);
    await stage.end("moved-on");
    const { resourceVersion } = await stage.grant("moved-on", 31);
    const order = { namespace: stage.namespace, lease: "moved-on", token: 30, now: true };
    expect(await dashboard.post(PATHS.release, order)).toEqual({
      status: 409,
      body: { message: expect.stringContaining("token 30 is over, and nothing was changed") },
    });
    expect(await stage.read("moved-on")).toMatchObject({ resourceVersion, status: { hold: { token: 31 } } });
  });

  test("ends the hold that the user has seen", async () => {
    await stage.newLease("taken");
    await stage.grant("taken", 40);
    const released = dashboard.post(PATHS.release, {
      namespace: stage.namespace,
      lease: "taken",
      token: 40,
      now: false,
    });
    // konductor is not there: the test ends the hold in its place.
    await stage.end("taken");
    const { status, body } = await released;
    // Where the test was faster than the order, the hold is over already.
    expect([status, JSON.stringify(body)]).toEqual([
      expect.any(Number),
      expect.stringMatching(/taken from run-40|token 40 is over/),
    ]);
  });

  test.each([
    ["no token", { token: undefined }],
    ["a token that is none", { token: "40" }],
    ["no word on proof", { now: undefined }],
    ["no name", { lease: "" }],
    ["a path for a name", { lease: "../../x" }],
    ["another namespace", { namespace: "default" }],
  ])("with %s is refused", async (_, change) => {
    const order = { namespace: stage.namespace, lease: "taken", token: 40, now: false, ...change };
    const { status } = await dashboard.post(PATHS.release, order);
    expect(status).toBe("namespace" in change ? 403 : 400);
  });
});

/** `koncli dashboard` on a real API server: what its page is told of kleases as they change, and with which rights. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { PATHS } from "../../../src/cli/dashboard/wire.ts";
import { EVENTS } from "../../../src/kube/resources.ts";
import { koncli } from "../koncli.ts";
import { type Dashboard, startDashboard } from "./page.ts";
import { type Stage, setStage } from "./stage.ts";

let stage: Stage;
let dashboard: Dashboard;
beforeAll(async () => {
  stage = await setStage("koncli-dashboard");
  dashboard = await startDashboard(stage.cluster.kubeconfigPath, "-n", stage.namespace);
});
afterAll(async () => {
  await dashboard?.end();
  await stage?.strike();
});

describe("the stream", () => {
  test("begins with who looks at what, then has every klease, and says when it is complete", async () => {
    await stage.newLease("first");
    const page = await dashboard.open();
    await page.sees("the list", () => page.messages.some(({ type }) => type === "synced"));
    const [hello] = page.messages;
    expect(hello).toMatchObject({
      type: "hello",
      server: stage.cluster.apiServerUrl,
      namespace: stage.namespace,
    });
    expect(hello).toMatchObject({ user: expect.stringMatching(/./), version: "0.0.0-source" });
    expect(page.row("first")).toMatchObject({
      key: `${stage.namespace}/first`,
      phase: "Available",
      past: [],
    });
    expect(page.messages.find(({ type }) => type === "time")).toMatchObject({ nowMs: expect.any(Number) });
    page.close();
  });

  test("tells of a grant, who waits, a renewal, the end and the deletion of a klease", async () => {
    const page = await dashboard.open();
    await stage.newLease("nightly");
    await page.sees("the klease", () => page.row("nightly") !== undefined);
    await stage.grant("nightly", 7);
    await page.sees("the hold", () => page.row("nightly")?.hold?.token === 7);
    await stage.asks("late", "nightly");
    await stage.asks("urgent", "nightly", 5);
    await page.sees("both who wait", () => page.row("nightly")?.waiting === 2);
    expect(page.row("nightly")?.waiters).toMatchObject([
      { place: 1, holder: "urgent", kind: "LeaseRequest", priority: 5 },
      { place: 2, holder: "late", priority: 0 },
    ]);
    const expiresMs = Date.now() + 600_000;
    await stage.write("nightly", ({ status: { hold } }) =>
      hold ? { hold: { ...hold, expiresMs, renewals: 4 } } : {},
    );
    await page.sees("the renewal", () => page.row("nightly")?.hold?.expiresMs === expiresMs);
    await stage.end("nightly");
    await page.sees("the end", () => page.row("nightly")?.phase === "Available");
    expect(page.row("nightly")?.past).toMatchObject([{ holder: "run-7", token: 7, reason: "Released" }]);
    await stage.kubectl("-n", stage.namespace, "delete", "klease", "nightly");
    await page.sees("its end", () =>
      page.messages.some((each) => each.type === "gone" && each.key === `${stage.namespace}/nightly`),
    );
    page.close();
  });

  test("older holds than the status has come from events, each once, and a forged event shows none", async () => {
    await stage.newLease("busy");
    for (let token = 1; token <= 14; token++) {
      await stage.grant("busy", token, 200);
      await stage.end("busy");
    }
    const { uid, status } = await stage.read("busy");
    expect(status.history).toHaveLength(10);
    const forged = (name: string, token: string, component: string) => ({
      metadata: {
        ...{ namespace: stage.namespace, name },
        annotations: {
          ...{ "konductor.io/holder": "mallory", "konductor.io/token": token },
          ...{
            "konductor.io/acquired": "2020-01-01T00:00:00Z",
            "konductor.io/ended": "2020-01-01T00:01:00Z",
          },
        },
      },
      involvedObject: {
        apiVersion: "konductor.io/v1",
        kind: "Lease",
        namespace: stage.namespace,
        name: "busy",
        uid,
      },
      ...{ type: "Normal", reason: "Released", message: "a lie" },
      ...{ source: { component }, reportingComponent: component, reportingInstance: "x" },
    });
    await stage.client.create(EVENTS, forged("other-component", "1", "mallory"));
    await stage.client.create(EVENTS, forged("later-token", "12", "konductor"));
    const page = await dashboard.open();
    await page.sees("the older holds", () => page.row("busy")?.past.length === 14);
    const past = page.row("busy")?.past ?? [];
    expect(past.map(({ token }) => token)).toEqual([14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
    expect(past.map(({ holder }) => holder)).not.toContain("mallory");
    page.close();
  });
});

describe("rights", () => {
  test("who may read kleases of one namespace sees those, and is told once what is missing", async () => {
    await stage.newLease("seen");
    await stage.newLease("hidden", stage.other);
    const theirs = await startDashboard(stage.viewer, "-n", stage.namespace);
    const page = await theirs.open();
    await page.sees("the list", () => page.messages.some(({ type }) => type === "synced"));
    expect(page.row("seen")).toBeDefined();
    expect(page.row("hidden")).toBeUndefined();
    expect(page.messages.filter(({ type }) => type === "trouble")).toEqual([
      {
        ...{ type: "trouble", about: "events" },
        message: `Only the last ten holds are known: you may not list events in ${stage.namespace}.`,
      },
    ]);
    expect(page.messages[0]).toMatchObject({ user: `system:serviceaccount:${stage.namespace}:viewer` });
    const elsewhere = { namespace: stage.other, lease: "hidden", token: "1" };
    expect(await theirs.get(PATHS.story, elsewhere)).toMatchObject({ status: 403 });
    page.close();
    expect(await theirs.end()).toMatchObject({ code: 0, err: "" });
  });

  test("who may not list kleases there is refused at once, with what to ask for", async () => {
    for (const where of [["-n", stage.other], ["-A"]]) {
      const flags = where[0] === "-A" ? ["dashboard", "-A"] : [...where, "dashboard"];
      const { code, out, err } = await koncli(["--kubeconfig", stage.viewer, ...flags, "--no-open"]);
      expect({ code, out }).toEqual({ code: 2, out: "" });
      expect(err).toContain("konductor-user");
    }
  });

  test("-A shows all namespaces", async () => {
    const all = await startDashboard(stage.cluster.kubeconfigPath, "--all-namespaces");
    const page = await all.open();
    await page.sees("both", () => page.row("seen") !== undefined && page.row("hidden") !== undefined);
    expect(page.messages[0]).not.toHaveProperty("namespace");
    page.close();
    await all.end();
  });
});

test("the page is there, from the sources as in the built koncli", async () => {
  const from = async (origin: string, path: string) => {
    const answer = await fetch(`${origin}${path}`);
    return { status: answer.status, type: answer.headers.get("content-type"), body: await answer.text() };
  };
  expect((await from(dashboard.origin, "/")).body).toContain("/page.js");
  const main = "/src/cli/dashboard/page/main.ts";
  expect(await from(dashboard.origin, "/page.js")).toMatchObject({ body: `import "${main}";` });
  expect(await from(dashboard.origin, main)).toMatchObject({
    status: 200,
    type: expect.stringMatching(/^text\/java/),
  });
  expect((await from(dashboard.origin, "/src/cli/dashboard/wire.ts")).body).not.toContain("interface");
  for (const path of [
    "/src/../package.json",
    "/src/%2e%2e/package.json",
    "/src/cli/dashboard/page/index.html",
  ])
    expect((await from(dashboard.origin, path)).status).toBe(404);

  const built = join(stage.cluster.programsDir, "koncli.js");
  const args = [
    built,
    "--kubeconfig",
    stage.cluster.kubeconfigPath,
    "-n",
    stage.namespace,
    "dashboard",
    "--no-open",
  ];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const closed = once(child, "close");
  const [line] = await once(child.stdout, "data");
  const { origin } = new URL(String(line).trim());
  expect((await from(origin, "/")).body).toContain("/page.js");
  const script = await from(origin, "/page.js");
  expect(script).toMatchObject({ status: 200, type: "text/javascript; charset=utf-8" });
  expect(script.body).not.toMatch(/^import /);
  expect(await from(origin, "/page.css")).toMatchObject({ status: 200, type: "text/css; charset=utf-8" });
  expect((await from(origin, main)).status).toBe(404);
  child.kill("SIGINT");
  expect(await closed).toEqual([0, null]);
});

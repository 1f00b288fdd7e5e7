/** The story of a hold on a real API server: what it tells, by which calls, and when they end. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { HoldStory } from "../../../src/cli/dashboard/wire.ts";
import { EVENTS, PODS } from "../../../src/kube/resources.ts";
import { parsePod } from "../../../src/lease/pod.ts";
import { waitFor } from "../../cluster/wait.ts";
import { callsOf } from "./audited.ts";
import { type Dashboard, startDashboard } from "./page.ts";
import { type Stage, setStage } from "./stage.ts";

let stage: Stage;
let dashboard: Dashboard;
beforeAll(async () => {
  stage = await setStage("koncli-dashboard-story");
  await stage.letRead();
  dashboard = await startDashboard(stage.viewer, "-n", stage.namespace);
});
afterAll(async () => {
  await dashboard?.end();
  await stage?.strike();
});

const open = (lease: string, token: number) => dashboard.story(stage.namespace, lease, token);
const calls = () => callsOf(stage.cluster.auditLogPath, stage.viewerName);
/** The watches that go on, but for those of the rows: what each is about. */
async function storyWatches(): Promise<string[]> {
  const open = (await calls()).filter(({ verb, hasEnded }) => verb === "watch" && !hasEnded);
  return open
    .map(({ query }) => query.get("fieldSelector") ?? query.get("labelSelector") ?? "")
    .filter((selector) => /uid|metadata.name|involvedObject.name|job-name/.test(selector));
}

/** The reasons in the order in which the page shows them. The cluster's scheduler tells of the pod as well. */
const eventsOfLease = ({ events }: HoldStory) =>
  events.filter(({ about }) => about === "Lease/told").map(({ reason }) => reason);

describe("the story of a hold", () => {
  test("has its events, its pod, its conditions, and why it holds", async () => {
    await stage.newLease("told");
    const containers = [{ name: "main", image: "none" }];
    const pod = { metadata: { namespace: stage.namespace, name: "worker" }, spec: { containers } };
    await waitFor({
      what: "the namespace to take pods",
      withinMs: 20_000,
      holds: async () => Boolean(await stage.client.create(PODS, pod)),
    });
    const { uid } = await stage.client.get(PODS, { namespace: stage.namespace, name: "worker" }, parsePod);
    const ref = { kind: "Pod", name: "worker", uid, node: "nowhere" } as const;
    await stage.write("told", () => ({
      hold: { ...stage.holdOf(50), holder: "worker", ref },
      lastToken: 50,
    }));
    const told = await open("told", 50);
    const story = await told.tells("the grant", (story) => eventsOfLease(story).length > 0);
    expect(story).toMatchObject({
      ...{ holder: "worker", token: 50 },
      pods: [{ name: "worker", phase: "Pending", containers: [] }],
      conditions: expect.arrayContaining([expect.objectContaining({ type: "Held", status: "True" })]),
    });
    expect(eventsOfLease(story)).toEqual(["Granted"]);
    expect(story.sentences.join(" ")).toContain("Pod worker on node nowhere has held the klease since");
    told.close();
  });

  test("is told anew as it goes on, also past its end, and of no other hold", async () => {
    const told = await open("told", 50);
    await told.tells("the hold", ({ conditions }) => conditions.length > 0);
    await stage.end("told");
    await stage.write("told", () => ({ hold: stage.holdOf(51), lastToken: 51 }));
    const story = await told.tells("the end", (story) => eventsOfLease(story).includes("Released"));
    expect(story).toMatchObject({
      ...{ holder: "worker", conditions: [], sentences: [] },
      pods: [{ name: "worker" }],
    });
    expect(eventsOfLease(story)).toEqual(["Granted", "Released"]);
    told.close();
  });

  test("that nobody knows is not told, until somebody does", async () => {
    const told = await open("unborn", 1);
    await told.sees("that there is none", () => told.messages.at(-1)?.type === "untold");
    await stage.newLease("unborn");
    await stage.grant("unborn", 1);
    expect(await told.tells("the hold")).toMatchObject({ holder: "run-1" });
    await stage.kubectl("-n", stage.namespace, "delete", "klease", "unborn");
    await told.sees("that it is gone", () => {
      const last = told.messages.at(-1);
      return last?.type === "untold" && last.message.includes("no klease unborn");
    });
    told.close();
  });

  test("says what its reader may not read", async () => {
    const poor = await setStage("koncli-dashboard-poor");
    await poor.newLease("told");
    await poor.grant("told", 1);
    const theirs = await startDashboard(poor.viewer, "-n", poor.namespace);
    const told = await theirs.story(poor.namespace, "told", 1);
    expect((await told.tells("the hold")).sentences.join(" ")).toMatch(
      /What has happened is not known: you may not list events in .*What its pods do is not known: you may not list pods in /,
    );
    told.close();
    await theirs.end();
    await poor.strike();
  });
});

test("an open story costs no list and no read, however often something changes, and ends with its watches", async () => {
  const { uid } = await stage.newLease("busy");
  await stage.grant("busy", 7);
  const told = await open("busy", 7);
  await told.tells("the hold");
  const reads = async () => (await calls()).filter(({ verb }) => verb === "get" || verb === "list").length;
  const before = await reads();
  for (let change = 1; change <= 20; change++) {
    await stage.write("busy", ({ status: { hold } }) =>
      hold ? { hold: { ...hold, renewals: change } } : {},
    );
    await stage.client.create(EVENTS, {
      metadata: { namespace: stage.namespace, name: `busy.${change}` },
      involvedObject: { kind: "Lease", namespace: stage.namespace, name: "busy", uid },
      ...{ type: "Normal", reason: `Change${change}`, message: "m", lastTimestamp: new Date().toISOString() },
    });
    await told.tells(`change ${change}`, ({ events }) =>
      events.some(({ reason }) => reason === `Change${change}`),
    );
  }
  expect(await reads()).toBe(before);
  expect((await storyWatches()).toSorted()).toEqual([
    "involvedObject.name=run-7",
    `involvedObject.uid=${uid}`,
    "metadata.name=run-7",
  ]);
  told.close();
  await waitFor({
    what: "its watches to end",
    withinMs: 10_000,
    holds: async () => (await storyWatches()).length === 0,
  });
});

/** More events than `koncli dashboard` reads, on a real API server. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { EVENTS } from "../../../src/kube/resources.ts";
import { endAnnotations } from "../../../src/objects/hold-events.ts";
import { callsOf } from "./audited.ts";
import { startDashboard } from "./page.ts";
import { type Stage, setStage } from "./stage.ts";

const EVENTS_THERE = 3_000;
const MOST_READ = 2_500;
let stage: Stage;
beforeAll(async () => {
  stage = await setStage("koncli-dashboard-events");
  await stage.letRead();
  const { uid } = await stage.newLease("flooded");
  await stage.grant("flooded", 9_000);
  await stage.end("flooded");
  await fill("flooded", uid);
});
afterAll(async () => await stage?.strike());

/** Events of as many ended holds, each before the next. */
async function fill(lease: string, uid: string): Promise<void> {
  const { namespace, client } = stage;
  const source = { component: "konductor" };
  const involvedObject = { apiVersion: "konductor.io/v1", kind: "Lease", namespace, name: lease, uid };
  let token = 0;
  const create = async () => {
    while (token < EVENTS_THERE) {
      token++;
      const atMs = Date.now() - 3_600_000 + token * 1_000;
      const past = { holder: `run-${token}`, token, acquiredMs: atMs, endedMs: atMs + 900 };
      const annotations = endAnnotations({ ...past, reason: "Released" });
      const event = {
        metadata: { namespace, name: `${lease}.${token}`, annotations },
        ...{ involvedObject, type: "Normal", reason: "Released", message: `end ${token}`, source },
        ...{ reportingComponent: "konductor", reportingInstance: "test" },
      };
      // A busy machine takes its time.
      await client.create(EVENTS, event, undefined, { timeoutMs: 60_000 });
    }
  };
  await Promise.all(Array.from({ length: 8 }, create));
}

/** How many the dashboard's lists have asked for. */
async function eventsRead(): Promise<number> {
  const calls = await callsOf(stage.cluster.auditLogPath, stage.viewerName);
  const lists = calls.filter(({ verb, resource }) => verb === "list" && resource === "events");
  return lists.reduce((sum, { query }) => sum + Number(query.get("limit") ?? EVENTS_THERE), 0);
}

test("of 3,000 events the first are read, and the page says so; what happens from then on is shown", async () => {
  const dashboard = await startDashboard(stage.viewer, "-n", stage.namespace);
  const page = await dashboard.open();
  await page.sees("the list", () => page.messages.some(({ type }) => type === "synced"));
  const troubles = () => page.messages.filter((each) => each.type === "trouble");
  expect(troubles()).toEqual([
    {
      ...{ type: "trouble", about: "events" },
      message:
        "There are more than 2000 events of ended holds: of some Leases only the last ten holds are shown.",
    },
  ]);
  const read = await eventsRead();
  expect(read).toBeGreaterThan(2_000);
  expect(read).toBeLessThan(MOST_READ);
  expect(page.row("flooded")?.past).toHaveLength(100);
  await stage.grant("flooded", 9_001);
  await stage.end("flooded");
  await page.sees("the end", () => page.row("flooded")?.past[0]?.token === 9_001);
  const told = await dashboard.story(stage.namespace, "flooded", 9_001);
  const { events, sentences } = await told.tells("the hold");
  expect(sentences).toEqual(["There are so many events that some are missing here."]);
  expect(events.length).toBeLessThan(3);
  expect((await eventsRead()) - read).toBeLessThan(MOST_READ + 16);
  told.close();
  page.close();
  await dashboard.end();
});

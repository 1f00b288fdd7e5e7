/** The page with more Leases than anybody can see at once, in a real Chromium: what is in the document, and the way to the rest. */
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, inject, test } from "vitest";
import type { PageMessage } from "../../../src/cli/dashboard/wire.ts";
import { startChromium } from "../../browser/chromium.ts";
import { manyLease } from "../../browser/many-leases.ts";
import { type PageServer, startPageServer } from "../../browser/page-server.ts";
import { streamLog } from "../../cluster/cluster.ts";

const LEASES = 1_000;
let browser: Browser;
let server: PageServer;
let page: Page;

const lease = (index: number, turn: number): PageMessage => ({
  type: "lease",
  lease: manyLease(index, turn, Date.now()),
});

beforeAll(async () => {
  browser = await startChromium({ env: inject("cluster").env, log: streamLog(process.stderr) });
  server = await startPageServer(() => [
    { type: "hello", user: "", server: "", namespace: undefined, version: "" },
    { type: "time", nowMs: Date.now() },
    ...Array.from({ length: LEASES }, (_, index) => lease(index, 100)),
    { type: "synced" },
  ]);
  page = await browser.newPage({ viewport: { width: 1_280, height: 720 } });
  await page.goto(server.url);
  await page.getByText("1000 Leases", { exact: true }).waitFor();
  await page.getByRole("combobox", { name: "Sort by" }).selectOption("name");
  await page.getByRole("button", { name: "team-0/job-0000," }).waitFor();
});
afterAll(async () => {
  await browser.close();
  server.close();
});

const focused = () => page.evaluate("document.activeElement.getAttribute('aria-label')");

test("only what can be seen is in the document, and each row says which one of all it is", async () => {
  const grid = page.getByRole("grid", { name: "Leases" });
  expect(await grid.getAttribute("aria-rowcount")).toBe("1001");
  const rows = page.getByRole("row").filter({ has: page.getByRole("rowheader") });
  expect(await rows.count()).toBeLessThan(40);
  expect(await rows.first().getAttribute("aria-rowindex")).toBe("2");
  await page.getByRole("button", { name: "team-0/job-0000," }).focus();
  await page.keyboard.press("Control+End");
  expect(await focused()).toContain("team-6/job-0993,");
  expect(await rows.last().getAttribute("aria-rowindex")).toBe("1001");
  expect(await rows.count()).toBeLessThan(40);
  await page.keyboard.press("PageUp");
  expect(await focused()).not.toContain("team-6/job-0993,");
  await page.keyboard.press("Control+Home");
  expect(await focused()).toContain("team-0/job-0000,");
});

test("the keyboard stays where it is while rows change, move and go", async () => {
  await page.getByRole("button", { name: "team-0/job-0007," }).focus();
  server.say(lease(7, 101), lease(0, 101), { type: "gone", key: "team-0/job-0000" });
  await page.getByText("999 Leases", { exact: true }).waitFor();
  expect(await focused()).toBe("team-0/job-0007, held by job-0007-101, 3 waiting");
  // The row itself goes: the keyboard gets its successor.
  server.say({ type: "gone", key: "team-0/job-0007" });
  await page.getByText("998 Leases", { exact: true }).waitFor();
  expect(await focused()).toContain("team-0/job-0014,");
});

test("a bar keeps the keyboard when its hold ends", async () => {
  await page.getByRole("button", { name: /^held by job-0021-100 since/ }).focus();
  server.say(lease(21, 101));
  await page.getByRole("button", { name: /^held by job-0021-101 since/ }).waitFor();
  expect(await focused()).toMatch(/^held by job-0021-100 from/);
});

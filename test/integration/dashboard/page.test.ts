/**
 * The page of `koncli dashboard` in a real Chromium, on the real server and a real API server: what a person sees, hears and can do. konductor itself
 * does not run, but for its webhook: the tests write what it would write.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, inject, test } from "vitest";
import { PATHS } from "../../../src/cli/dashboard/wire.ts";
import { startChromium } from "../../browser/chromium.ts";
import { streamLog } from "../../cluster/cluster.ts";
import { waitFor } from "../../cluster/wait.ts";
import { type AdmissionServer, startAdmission } from "../admission-server.ts";
import { koncli } from "../koncli.ts";
import { startTcpProxy } from "../kube/tcp-proxy.ts";
import { kubectlOf } from "../kubectl.ts";
import { type Holds, openHolds } from "./holds.ts";

const NAMESPACE = "dashboard-page";
const WEBHOOKS = "dashboard-page";
const cluster = inject("cluster");
const kubectl = kubectlOf(cluster);
const interrupt = new AbortController();
let dir: string;
let browser: Browser;
let admission: AdmissionServer;
let holds: Holds;
let url: string;
let ended: Promise<{ code: number }>;

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "konductor-dashboard-"));
  browser = await launch();
  await kubectl("create", "namespace", NAMESPACE);
  admission = await startAdmission([NAMESPACE]);
  await kubectl.withObject({ ...admission.configuration, metadata: { name: WEBHOOKS } }, "create");
  holds = await openHolds(cluster, NAMESPACE, dir);
  let out = "";
  const args = ["--kubeconfig", cluster.kubeconfigPath, "-n", NAMESPACE, "dashboard", "--no-open"];
  ended = koncli(args, {
    signal: interrupt.signal,
    out: (text) => {
      out += text;
    },
  });
  await waitFor({
    what: "koncli dashboard to print its address",
    withinMs: 20_000,
    everyMs: 20,
    holds: async () => /^http:\S+\n/.test(out),
  });
  url = out.trim();
});
afterAll(async () => {
  interrupt.abort();
  await ended;
  await browser.close();
  await kubectl("delete", "mutatingwebhookconfiguration", WEBHOOKS);
  await admission.stop();
  await kubectl("delete", "namespace", NAMESPACE, "--wait=false");
  await holds.close();
  await rm(dir, { recursive: true, force: true });
});

function launch(...flags: string[]): Promise<Browser> {
  return startChromium({ env: cluster.env, log: streamLog(process.stderr), flags });
}

/** What the pages of a test said to the console, and whom they asked beside the server. */
const complaints: string[] = [];
afterEach(async () => {
  for (const context of browser.contexts()) await context.close();
  expect(complaints.splice(0)).toEqual([]);
});

/** The page, as somebody has just opened it. */
async function open(options: Parameters<Browser["newContext"]>[0] = {}, by = browser): Promise<Page> {
  const context = await by.newContext({ viewport: { width: 1_280, height: 720 }, ...options });
  const page = await context.newPage();
  page.on("console", (message) => void complaints.push(`console: ${message.text()}`));
  page.on("pageerror", (error) => void complaints.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => {
    complaints.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  const { origin } = new URL(url);
  page.on("request", (request) => {
    const address = new URL(request.url());
    if (address.origin !== origin && address.protocol !== "data:")
      complaints.push(`request to ${address.origin}`);
  });
  await page.goto(url);
  await page.getByRole("status").filter({ hasText: "Live" }).waitFor();
  return page;
}

/** Tells of a Lease, now. */
async function event(lease: string, told: { reason: string; type: string; message: string }): Promise<void> {
  const { uid } = await holds.lease(lease);
  const now = new Date().toISOString();
  await kubectl.withObject(
    {
      ...{ apiVersion: "v1", kind: "Event", metadata: { name: lease, namespace: NAMESPACE } },
      involvedObject: {
        apiVersion: "konductor.io/v1",
        kind: "Lease",
        namespace: NAMESPACE,
        name: lease,
        uid,
      },
      ...{ firstTimestamp: now, lastTimestamp: now, count: 1, source: { component: "konductor" }, ...told },
    },
    "create",
  );
}

const rowOf = (page: Page, lease: string) =>
  page.getByRole("row").filter({ has: page.getByRole("button", { name: `${NAMESPACE}/${lease},` }) });

test("who holds and who waits appears, and a handover is seen as it happens, without a reload", async () => {
  await holds.newLease("handover");
  await holds.ask("handover", "ci-1");
  await holds.grant("handover", "ci-1");
  const page = await open();
  expect(new URL(page.url()).hash).toBe("");
  const row = rowOf(page, "handover");
  await row.getByRole("button", { name: /^held by ci-1 since \d\d:\d\d:\d\d/ }).waitFor();
  await holds.ask("handover", "ci-2");
  await row
    .getByRole("listitem")
    .filter({ hasText: /1\s*ci-2\s*unknown/ })
    .waitFor();
  await row.getByRole("gridcell", { name: "1 waiting" }).waitFor();

  await page.evaluate("window.isTheSame = true");
  await holds.end("handover", "Released");
  await holds.grant("handover", "ci-2");
  await row.getByRole("button", { name: /^held by ci-1 from \S+ to \S+ \(\d+s\), Released$/ }).waitFor();
  await row.getByRole("button", { name: /^held by ci-2 since/ }).waitFor();
  await row.getByRole("gridcell", { name: "0 waiting" }).waitFor();
  expect(await page.evaluate("window.isTheSame")).toBe(true);
  await page.reload();
  await row.getByRole("button", { name: /^held by ci-2 since/ }).waitFor();
});

test("the keyboard alone leads to the story of a hold, and Escape back to its bar", async () => {
  for (const [lease, holder] of [
    ["keys-a", "one"],
    ["keys-b", "two"],
  ] as const) {
    await holds.newLease(lease);
    await holds.ask(lease, holder);
    await holds.grant(lease, holder);
  }
  await holds.end("keys-b", "Released");
  const page = await open();
  await page.keyboard.press("/");
  await page.keyboard.type("keys");
  await page.getByText("2 of").waitFor();
  const focused = () =>
    page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.id");
  for (let stops = 0; stops < 8 && !/keys-a/.test(String(await focused())); stops++)
    await page.keyboard.press("Tab");
  expect(await focused()).toBe(`${NAMESPACE}/keys-a, held by one, 0 waiting`);
  await page.keyboard.press("ArrowRight");
  expect(await focused()).toMatch(/^held by one since/);
  await page.keyboard.press("ArrowDown");
  expect(await focused()).toMatch(/^held by two from .*, Released$/);
  await page.keyboard.press("ArrowUp");
  await page.keyboard.press("Enter");
  const story = page.getByRole("complementary", { name: "one" });
  await story.getByText("Held since").waitFor();
  // The sentences are those of koncli lease why.
  await story.getByText(/one\b.* has held the klease since/i).waitFor();
  expect(await focused()).toBe("story-heading");
  await page.keyboard.press("Escape");
  await story.waitFor({ state: "hidden" });
  expect(await focused()).toMatch(/^held by one since/);
});

test("an open story is one request, however often its row changes, and ends with its panel", async () => {
  await holds.newLease("followed");
  await holds.ask("followed", "steady");
  await holds.grant("followed", "steady");
  const page = await open();
  const asked: string[] = [];
  const ended: string[] = [];
  const isStory = (request: { url(): string }) => new URL(request.url()).pathname === PATHS.story;
  page.on("request", (request) => void (isStory(request) && asked.push(request.url())));
  page.on("requestfailed", (request) => void (isStory(request) && ended.push(request.url())));
  await rowOf(page, "followed")
    .getByRole("button", { name: /^held by steady since/ })
    .click();
  const story = page.getByRole("complementary", { name: "steady" });
  await story.getByText(/steady\b.* has held the klease since/i).waitFor();
  for (let renewals = 1; renewals <= 20; renewals++) {
    const { hold } = (await holds.lease("followed")).status;
    if (hold) await holds.change("followed", { hold: { ...hold, renewals } });
  }
  await event("followed", { reason: "Changed", type: "Normal", message: "twenty renewals" });
  await story.getByText("twenty renewals").waitFor();
  expect(asked).toHaveLength(1);
  expect(ended).toEqual([]);
  await page.keyboard.press("Escape");
  await waitFor({ what: "the request to end", withinMs: 10_000, holds: async () => ended.length === 1 });
});

test("what tenants write is text, wherever it is shown", async () => {
  const evil = `<img src=x onerror="alert(1)"><b>x</b>`;
  await holds.newLease("hostile");
  await holds.ask("hostile", evil);
  await holds.grant("hostile", evil);
  await holds.ask("hostile", `${evil}2`);
  await event("hostile", { reason: "Granted", type: "Warning", message: `told ${evil}` });
  const page = await open();
  const row = rowOf(page, "hostile");
  await row.getByText(`${evil}2`).waitFor();
  await row.getByRole("button", { name: `held by ${evil} since` }).click();
  const story = page.getByRole("complementary", { name: evil });
  await story.getByText(`told ${evil}`).waitFor();
  await story.getByRole("button", { name: "Force release…" }).click();
  await page.getByRole("dialog", { name: `End the hold of ${evil}?` }).waitFor();
  expect(await page.getByRole("img").count()).toBe(0);
});

test("a forced release tells first what it would do, and then ends the hold that was seen", async () => {
  await holds.newLease("forced");
  await holds.ask("forced", "stuck");
  await holds.grant("forced", "stuck");
  const { hold } = (await holds.lease("forced")).status;
  const page = await open();
  const row = rowOf(page, "forced");
  await row.getByRole("button", { name: /^held by stuck since/ }).click();
  const asks = page.getByRole("button", { name: "Force release…" });
  await asks.click();
  const dialog = page.getByRole("dialog", { name: "End the hold of stuck?" });
  const withProof = dialog.getByRole("button", { name: "Release with proof" });
  await withProof.waitFor();
  expect(await dialog.getByRole("paragraph").first().textContent()).toMatch(/stuck/);
  await dialog.getByRole("button", { name: "Cancel" }).click();
  await dialog.waitFor({ state: "hidden" });
  expect((await holds.lease("forced")).forced).toBeUndefined();

  await asks.click();
  await withProof.click();
  // konductor's webhook has noted whose hold was meant; konductor would end it now.
  await waitFor({
    what: "the order to arrive",
    withinMs: 20_000,
    holds: async () => (await holds.lease("forced")).forced?.token === hold?.token,
  });
  await holds.end("forced", "Forced");
  await dialog.getByRole("status").filter({ hasText: /stuck/ }).waitFor();
  await dialog.getByRole("button", { name: "Close" }).click();
  await row.getByRole("button", { name: /^held by stuck from .*, Forced by / }).waitFor();
  await asks.waitFor({ state: "hidden" });
});

test("rows can be filtered and sorted, and a reload keeps what was chosen", async () => {
  for (const name of ["choice-a", "choice-b", "choice-c"]) await holds.newLease(name);
  await holds.ask("choice-b", "b1");
  for (const holder of ["c1", "c2"]) await holds.ask("choice-c", holder);
  const page = await open();
  await page.getByRole("searchbox", { name: /^Filter/ }).fill("choice");
  const names = async () =>
    (await page.getByRole("rowheader").allInnerTexts()).map((text) => text.split("\n")[0]);
  const until = (...wanted: string[]) =>
    waitFor({
      what: `the rows ${wanted}`,
      withinMs: 10_000,
      holds: async () => (await names()).join() === wanted.join(),
    });
  await until("choice-b", "choice-c", "choice-a");
  await page.getByRole("combobox", { name: "Sort by" }).selectOption("most waiting");
  await until("choice-c", "choice-b", "choice-a");
  await page.getByRole("checkbox", { name: "Only with waiters" }).check();
  await until("choice-c", "choice-b");
  await page.getByRole("radio", { name: "5 m", exact: true }).check({ force: true });
  await page.reload();
  await until("choice-c", "choice-b");
  expect(await page.getByRole("radio", { name: "5 m", exact: true }).isChecked()).toBe(true);
});

test("a stream that breaks is said to be broken, and comes back with what has changed", async () => {
  await holds.newLease("broken");
  const proxy = await startTcpProxy(url);
  // The page's address stays the server's own: it answers under no other.
  const rule = `MAP ${new URL(url).host} ${new URL(proxy.url).host}`;
  const other = await launch(`--host-resolver-rules=${rule}`);
  try {
    const page = await open({}, other);
    const row = rowOf(page, "broken");
    await row.getByText("never held").waitFor();
    proxy.cut();
    await page.getByRole("status").filter({ hasText: "Not connected" }).waitFor();
    await holds.ask("broken", "late");
    await holds.grant("broken", "late");
    proxy.mend();
    await row.getByRole("button", { name: /^held by late since/ }).waitFor();
    await page.getByRole("status").filter({ hasText: "Live" }).waitFor();
  } finally {
    await other.close();
    await proxy.close();
  }
  // The browser itself tells the console of each try that failed.
  complaints.splice(0, complaints.length, ...complaints.filter((each) => !each.includes("net::ERR_")));
});

test("light and dark follow the system, and little room needs no scrolling to the side", async () => {
  await holds.newLease("looks");
  const grounds: unknown[] = [];
  for (const colorScheme of ["light", "dark"] as const) {
    const page = await open({ colorScheme, viewport: { width: 640, height: 360 } });
    await page.getByRole("searchbox", { name: /^Filter/ }).fill("looks");
    await rowOf(page, "looks").getByText("never held").waitFor();
    grounds.push(await page.evaluate("getComputedStyle(document.body).backgroundColor"));
    expect(await page.evaluate("document.documentElement.scrollWidth <= innerWidth")).toBe(true);
  }
  expect(grounds).toEqual(["rgb(255, 255, 255)", "rgb(20, 23, 26)"]);
});

test("a page without the session's token says how to get one", async () => {
  const page = await (await browser.newContext()).newPage();
  await page.goto(new URL(url).origin);
  await page.getByRole("status").filter({ hasText: "Open the link that koncli dashboard prints" }).waitFor();
});

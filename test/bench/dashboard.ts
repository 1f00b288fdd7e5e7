/**
 * Whether the dashboard's page stutters (`npm run bench:dashboard`): 1,000 Leases with 50 changes a second in a real Chromium, at rest and while
 * somebody scrolls. The floor is an empty page in the same browser. Frames depend on whatever else the machine does; so what counts is the processor time
 * of the page's own thread: exits with 1 if that is more than its limit.
 */
import type { Page } from "playwright-core";
import type { PageMessage } from "../../src/cli/dashboard/wire.ts";
import { startChromium } from "../browser/chromium.ts";
import { manyLease } from "../browser/many-leases.ts";
import { startPageServer } from "../browser/page-server.ts";
import { streamLog } from "../cluster/cluster.ts";

const LEASES = 1_000;
const CHANGES_PER_SECOND = 50;
const RUN_MS = 10_000;
/** Of the time. A thread that is busy for longer has no room for a slower machine. */
const BUSY_LIMIT = 0.5;

interface Frames {
  /** Of the frames, in ms. */
  p50: number;
  p99: number;
  longest: number;
  /** Tasks of more than 50 ms, of which the browser says that people notice them. */
  longTasks: number;
  /** How much of the time the page's own thread had the processor. */
  busyShare: number;
}

/** Runs in the page: measures frames, and scrolls if asked. */
const MEASURE = `async ({ runMs, isScrolling }) => {
  const longTasks = [];
  new PerformanceObserver((list) => longTasks.push(...list.getEntries())).observe({ type: "longtask" });
  const scroller = document.getElementById("scroller");
  const frames = [];
  const beganMs = performance.now();
  for (let last = beganMs; last - beganMs < runMs; ) {
    await new Promise(requestAnimationFrame);
    const nowMs = performance.now();
    frames.push(nowMs - last);
    last = nowMs;
    if (isScrolling) scroller.scrollTop = (scroller.scrollTop + 90) % scroller.scrollHeight;
  }
  frames.sort((a, b) => a - b);
  const at = (share) => frames[Math.min(frames.length - 1, Math.floor(frames.length * share))];
  return { p50: at(0.5), p99: at(0.99), longest: at(1), longTasks: longTasks.length };
}`;

async function measure(page: Page, isScrolling: boolean): Promise<Frames> {
  const session = await page.context().newCDPSession(page);
  await session.send("Performance.enable", { timeDomain: "threadTicks" });
  const busy = async () => {
    const { metrics } = await session.send("Performance.getMetrics");
    return metrics.find(({ name }) => name === "TaskDuration")?.value ?? Number.NaN;
  };
  const before = await busy();
  const beganMs = performance.now();
  const frames: Omit<Frames, "busyShare"> = await page.evaluate(
    `(${MEASURE})(${JSON.stringify({ runMs: RUN_MS, isScrolling })})`,
  );
  const busySeconds = (await busy()) - before;
  return { ...frames, busyShare: (1_000 * busySeconds) / (performance.now() - beganMs) };
}

const turns = new Map<number, number>();
const lease = (index: number): PageMessage => ({
  type: "lease",
  lease: manyLease(index, turns.get(index) ?? 0, Date.now()),
});
const server = await startPageServer(() => [
  { type: "hello", user: "bench", server: "https://bench", namespace: undefined, version: "bench" },
  { type: "time", nowMs: Date.now() },
  ...Array.from({ length: LEASES }, (_, index) => lease(index)),
  { type: "synced" },
]);
const browser = await startChromium({ env: process.env, log: streamLog(process.stderr) });
let changed = 0;
const changes = setInterval(() => {
  // Neighbours change with each other, so that what is seen changes as well.
  const index = (changed++ * 7) % LEASES;
  turns.set(index, (turns.get(index) ?? 0) + 1);
  server.say(lease(index));
}, 1_000 / CHANGES_PER_SECOND);
let isKept = true;
try {
  const page = await browser.newPage({ viewport: { width: 1_280, height: 800 } });
  await page.goto(server.emptyUrl);
  const floor = await measure(page, false);
  report("empty page (floor)", floor, floor);
  await page.goto(server.url);
  await page.getByText(`${LEASES} Leases`, { exact: true }).waitFor();
  for (const isScrolling of [false, true]) {
    const frames = await measure(page, isScrolling);
    report(isScrolling ? "1,000 Leases, scrolling" : "1,000 Leases", frames, floor);
    isKept &&= frames.busyShare <= BUSY_LIMIT;
  }
} finally {
  clearInterval(changes);
  await browser.close();
  server.close();
}
process.stdout.write(`limit: ${100 * BUSY_LIMIT} % of one core busy: ${isKept ? "kept" : "EXCEEDED"}\n`);
process.exitCode = isKept ? 0 : 1;

function report(name: string, { p50, p99, longest, longTasks, busyShare }: Frames, floor: Frames): void {
  const figure = (value: number, base: number) => `${value.toFixed(1)} ms (${(value / base).toFixed(2)} x)`;
  const frames = `frames p50 ${figure(p50, floor.p50)}, p99 ${figure(p99, floor.p99)}, longest ${figure(longest, floor.longest)}`;
  const share = (100 * busyShare).toFixed(1);
  process.stdout.write(
    `${name.padEnd(24)} ${frames}, ${longTasks} long tasks, ${share} % of one core busy\n`,
  );
}

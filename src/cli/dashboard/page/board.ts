/** The rows: of thousands, only those that can be seen are in the document. */
import { type Axis, PAST_SHARE, scaleOf, ticksOf } from "./axis.ts";
import { make, part, setAttribute, setChildren } from "./dom.ts";
import { type Focus, followFocus } from "./keyboard.ts";
import { moveStrip } from "./lane-view.ts";
import type { SeenRow } from "./model.ts";
import { createRow, type RowView } from "./row-view.ts";

/** A hold of a row; without a token, its newest. */
export interface Opened {
  key: string;
  token: number | undefined;
}

export interface BoardOptions {
  /** Somebody wants the story of a hold. */
  onOpen(opened: Opened): void;
  /** The API server's time at a time of the page's own clock. */
  serverMs(atMs: number): number;
}

export interface Board {
  /** Shows these rows, in this order, as they are at `nowMs`, the API server's time. */
  show(rows: readonly SeenRow[], nowMs: number, filter: string): void;
  /** Moves the picture on to `nowMs`, and changes nothing else. */
  drift(nowMs: number): void;
  /** How long the picture can stand still until somebody would see it move. */
  stepMs(): number;
  setSpan(spanMs: number): void;
  /** Marks the hold whose story is open. */
  select(opened: Opened | undefined): void;
  /** Puts the keyboard back to where it was. */
  focus(): void;
}

/** Rows beyond the edges, so that scrolling shows no gaps. */
const BEYOND = 6;
/** The axis is drawn anew when the picture has moved so far; until then all of it moves as one. */
const REDRAW_PX = 24;
/** Nobody sees a smaller step. */
const STEP_PX = 0.25;

/** The board in the elements of index.html. `onResize` is called when it has to be shown anew. */
export function createBoard({ onOpen, serverMs }: BoardOptions, onResize: () => void): Board {
  const grid = part("grid", HTMLDivElement);
  const scroller = part("scroller", HTMLDivElement);
  const list = part("rows", HTMLDivElement);
  const ruler = part("ruler", HTMLDivElement);
  const lines = part("lines", HTMLDivElement);
  const board = part("board", HTMLElement);
  board.style.setProperty("--now", `${PAST_SHARE * 100}%`);

  let rows: readonly SeenRow[] = [];
  let views = new Map<string, RowView>();
  let opened: Opened | undefined;
  let spanMs = 3_600_000;
  let axis: Axis = { nowMs: 0, spanMs, widthPx: 0 };
  let shownMs = 0;
  let filter = "";
  let heightPx = 56;
  /** Of the axis. */
  let strips: HTMLElement[] = [];
  const focus = followFocus(list, scroller, {
    indexOf: (key) => rows.findIndex(({ lease }) => lease.key === key),
    keyAt: (index) => rows[index]?.lease.key,
    count: () => rows.length,
    heightPx: () => heightPx,
    mount: () => draw(),
  });

  function measure(): void {
    const { widthPx } = axis;
    const lane = ruler.clientWidth;
    heightPx = Number.parseFloat(getComputedStyle(board).getPropertyValue("--row")) || heightPx;
    board.style.setProperty("--gutter", `${scroller.offsetWidth - scroller.clientWidth}px`);
    if (lane !== widthPx || axis.spanMs !== spanMs) axis = { nowMs: shownMs, spanMs, widthPx: lane };
  }

  function drawAxis(): void {
    const ticks = ticksOf(axis);
    const place = (element: HTMLElement, x: number) => {
      element.style.left = `${Math.round(x * 10) / 10}px`;
      return element;
    };
    const strip = (children: HTMLElement[]) => make("div", { class: "strip" }, ...children);
    const labels = strip(ticks.map(({ x, label }) => place(make("span", { class: "tick", text: label }), x)));
    const marks = strip(ticks.map(({ x }) => place(make("span", { class: "line" }), x)));
    strips = [labels, marks];
    setChildren(ruler, [labels, make("span", { class: "now", text: "now" })]);
    setChildren(lines, [marks, make("span", { class: "now-line" })]);
  }

  function seen(): [first: number, end: number] {
    const top = scroller.scrollTop;
    const first = Math.max(0, Math.floor(top / heightPx) - BEYOND);
    return [first, Math.min(rows.length, Math.ceil((top + scroller.clientHeight) / heightPx) + BEYOND)];
  }

  function draw(): void {
    const kept: Focus | undefined = focus.hold();
    const [first, end] = seen();
    const focused = kept ? rows.findIndex(({ lease }) => lease.key === kept.key) : -1;
    const indexes = new Set<number>();
    // Whoever has the keyboard stays in the document, also beyond the edges.
    if (focused >= 0 && focused < first) indexes.add(focused);
    for (let index = first; index < end; index++) indexes.add(index);
    if (focused >= end) indexes.add(focused);
    const present = new Map<string, RowView>();
    for (const index of indexes) {
      const row = rows[index];
      if (!row) continue;
      const { key } = row.lease;
      const view = views.get(key) ?? createRow(key);
      const selected = opened?.key === key ? opened.token : undefined;
      view.update(row, { axis, nowMs: shownMs, seenMs: serverMs(row.atMs), selected, filter });
      view.place(index, heightPx);
      present.set(key, view);
    }
    views = present;
    setChildren(
      list,
      [...present.values()].map(({ element }) => element),
    );
    drift();
    focus.restore();
  }

  function open(event: Event): void {
    if (!(event.target instanceof Element)) return;
    const key = event.target.closest("[data-key]")?.getAttribute("data-key");
    if (key === null || key === undefined) return;
    const token = event.target.closest("[data-token]")?.getAttribute("data-token");
    onOpen({ key, token: token ? Number(token) : undefined });
  }

  list.addEventListener("click", open);
  scroller.addEventListener("scroll", () => requestAnimationFrame(draw), { passive: true });
  new ResizeObserver(() => onResize()).observe(scroller);

  const movedPx = (nowMs: number) => (nowMs - axis.nowMs) * scaleOf(axis);

  function drift(): void {
    const byPx = movedPx(shownMs);
    for (const strip of strips) moveStrip(strip, byPx);
    for (const view of views.values()) view.drift(byPx);
  }

  let drawn: Axis | undefined;
  return {
    show(next, nowMs, words) {
      rows = next;
      filter = words;
      shownMs = nowMs;
      measure();
      if (Math.abs(movedPx(nowMs)) > REDRAW_PX) axis = { ...axis, nowMs };
      if (drawn !== axis) drawAxis();
      drawn = axis;
      setAttribute(grid, "aria-rowcount", String(rows.length + 1));
      list.style.height = `${rows.length * heightPx}px`;
      draw();
    },
    drift(nowMs) {
      // A redraw of the axis belongs to `show`, which draws the bars as well.
      if (Math.abs(movedPx(nowMs)) > REDRAW_PX) return;
      shownMs = nowMs;
      drift();
    },
    stepMs: () => STEP_PX / Math.max(1e-9, scaleOf(axis)),
    setSpan(next) {
      spanMs = next;
      onResize();
    },
    select(next) {
      opened = next;
      draw();
    },
    focus: () => focus.take(),
  };
}

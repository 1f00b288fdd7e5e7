/** One row of the board, drawn: what is of a Lease, and its lane. */
import { formatAge } from "../../../shared/age.ts";
import type { LeaseRow } from "../wire.ts";
import type { Axis } from "./axis.ts";
import { make, setAttribute, setChildren, setText } from "./dom.ts";
import { createLane } from "./lane-view.ts";
import { layOut } from "./layout.ts";
import type { SeenRow } from "./model.ts";
import { shownWaiters } from "./order.ts";
import { holdNotes, sinceText, turnText } from "./words.ts";

export interface RowTimes {
  axis: Axis;
  /** The API server's time. */
  nowMs: number;
  /** The API server's time when the row was told. */
  seenMs: number;
  /** The token of the hold whose story is open. */
  selected: number | undefined;
  /** Who waits and is named by it is shown first. */
  filter: string;
}

export interface RowView {
  readonly element: HTMLElement;
  update(row: SeenRow, times: RowTimes): void;
  /** Moves its lane: see {@link LaneView.drift}. */
  drift(byPx: number): void;
  /** Puts the row at its place among all, from 0. */
  place(index: number, heightPx: number): void;
}

/** More lines have no room. The last one says how many more wait. */
const LINES = 3;

/** A row for the Lease with this key. */
export function createRow(key: string): RowView {
  const name = make("span", { class: "name" });
  const namespace = make("span", { class: "namespace" });
  const button = make(
    "button",
    { class: "lease", attributes: { type: "button", tabindex: "-1", "data-item": "" } },
    name,
    namespace,
  );
  const holder = make("span", { class: "holder" });
  const since = make("span", { class: "since" });
  const count = make("div", { class: "count", attributes: { role: "gridcell" } });
  const lane = createLane();
  const queue = make("ol", { class: "queue" });
  const element = make(
    "div",
    { class: "row", attributes: { role: "row", "data-key": key } },
    make("div", { class: "of-lease", attributes: { role: "rowheader" } }, button),
    make("div", { class: "of-holder", attributes: { role: "gridcell" } }, holder, since),
    lane.element,
    count,
    make("div", { class: "of-queue", attributes: { role: "gridcell" } }, queue),
  );
  const lines: HTMLElement[] = [];
  let drawn:
    | { row: SeenRow; axis: Axis; selected: number | undefined; filter: string; second: number }
    | undefined;

  return {
    element,
    drift: lane.drift,
    place(index, heightPx) {
      const transform = `translateY(${index * heightPx}px)`;
      if (element.style.transform !== transform) element.style.transform = transform;
      setAttribute(element, "aria-rowindex", String(index + 2));
      setAttribute(element, "data-even", index % 2 === 0 ? "" : undefined);
    },
    update(row, { axis, nowMs, seenMs, selected, filter }) {
      const { lease } = row;
      // Ages are written in seconds: until the next one, a row that is told anew is the only one to be drawn anew.
      const second = Math.floor(nowMs / 1_000);
      const isDrawn =
        drawn?.row === row && drawn.axis === axis && drawn.selected === selected && drawn.filter === filter;
      if (isDrawn && drawn?.second === second) return;
      drawn = { row, axis, selected, filter, second };
      setText(name, lease.name);
      setText(namespace, lease.namespace);
      setAttribute(button, "aria-label", `${lease.namespace}/${lease.name}, ${stateText(lease)}`);
      setText(holder, lease.hold?.holder ?? "free");
      setAttribute(holder, "data-free", lease.hold ? undefined : "");
      setAttribute(holder, "title", lease.hold?.holder);
      const notes = lease.hold ? holdNotes(lease.hold, nowMs) : [];
      const [note] = notes;
      setText(since, [sinceText(lease, nowMs), ...(note === undefined ? [] : [note])].join(" · "));
      setAttribute(since, "data-noted", note === undefined ? undefined : "");
      setText(count, lease.waiting === 0 ? "–" : String(lease.waiting));
      setAttribute(count, "aria-label", `${lease.waiting} waiting`);
      setAttribute(count, "data-none", lease.waiting === 0 ? "" : undefined);
      showQueue(queue, lines, lease, { nowMs, seenMs, filter });
      lane.update(layOut(row, axis, { nowMs, seenMs }), axis, { nowMs, selected });
      setAttribute(element, "data-open", selected === undefined ? undefined : "");
    },
  };
}

function stateText({ hold, waiting }: LeaseRow): string {
  return `${hold ? `held by ${hold.holder}` : "free"}, ${waiting} waiting`;
}

function showQueue(
  queue: HTMLElement,
  lines: HTMLElement[],
  lease: LeaseRow,
  { nowMs, seenMs, filter }: { nowMs: number; seenMs: number; filter: string },
): void {
  const { waiters, waiting } = lease;
  const more = waiting > LINES ? waiting - (LINES - 1) : 0;
  const shown = shownWaiters(waiters, filter, more > 0 ? LINES - 1 : LINES);
  const texts = shown.map((waiter) => [
    String(waiter.place),
    waiter.holder,
    turnText(waiter, nowMs - seenMs),
    `${waiter.holder}, ${waiter.kind}, has waited for ${formatAge(nowMs - waiter.sinceMs)}`,
  ]);
  if (more > 0) texts.push(["", `and ${more} more`, "", ""]);
  setChildren(
    queue,
    texts.map(([place = "", who = "", turn = "", title = ""], index) => {
      const line = lines[index] ?? createLine();
      lines[index] = line;
      const [placeCell, whoCell, turnCell] = line.children;
      if (placeCell instanceof HTMLElement) setText(placeCell, place);
      if (whoCell instanceof HTMLElement) setText(whoCell, who);
      if (turnCell instanceof HTMLElement) setText(turnCell, turn);
      setAttribute(line, "title", title === "" ? undefined : title);
      return line;
    }),
  );
}

function createLine(): HTMLElement {
  return make(
    "li",
    {},
    make("span", { class: "place" }),
    make("span", { class: "who" }),
    make("span", { class: "when" }),
  );
}

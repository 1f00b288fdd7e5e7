/** The bars of one row, drawn. */
import { type Axis, scaleOf } from "./axis.ts";
import { make, setAttribute, setChildren, setText } from "./dom.ts";
import type { PresentShape, RowShapes, Shape, TurnShape } from "./layout.ts";
import { barName, ENDINGS, handoverText } from "./words.ts";

export interface LaneView {
  readonly element: HTMLElement;
  /** Draws the shapes. `selected` is the token of the hold whose story is open. */
  update(shapes: RowShapes, axis: Axis, times: { nowMs: number; selected: number | undefined }): void;
  /** Moves all of it by so much to the left, since its axis was made; what lasts until now grows with it. */
  drift(byPx: number): void;
}

/** From these widths on, a bar has room for a letter, and for a name. */
const LETTER_PX = 15;
const NAME_PX = 72;

/** An empty lane. */
export function createLane(): LaneView {
  const strip = make("div", { class: "strip" });
  const element = make("div", { class: "lane", attributes: { role: "gridcell" } }, strip);
  const expiry = make("span", { class: "expiry", attributes: { "aria-hidden": "true" } });
  let bars = new Map<string, BarView>();
  const turns = new Map<number, HTMLElement>();

  return {
    element,
    drift(byPx) {
      moveStrip(strip, byPx);
      for (const bar of bars.values()) bar.grow(byPx);
    },
    update(shapes, axis, { nowMs, selected }) {
      const present = new Map<string, BarView>();
      for (const shape of shapes.bars) {
        const bar = bars.get(shape.id) ?? createBar();
        bar.update(shape, axis, { nowMs, selected });
        present.set(shape.id, bar);
      }
      bars = present;
      const turnElements = shapes.turns.map((turn) => {
        const drawn = turns.get(turn.place) ?? createTurn(turn.place);
        turns.set(turn.place, drawn);
        placeTurn(drawn, turn);
        return drawn;
      });
      if (shapes.expiryX !== undefined) setLeft(expiry, shapes.expiryX);
      setChildren(strip, [
        ...[...present.values()].map((bar) => bar.element),
        ...(shapes.expiryX === undefined ? [] : [expiry]),
        ...turnElements,
      ]);
    },
  };
}

/** Moves a strip to the left, whose left edge stands at the line of now. A variable that all strips inherit would cost a hundred times as much. */
export function moveStrip(strip: HTMLElement, byPx: number): void {
  const transform = `translateX(${(-byPx).toFixed(2)}px)`;
  if (strip.style.transform !== transform) strip.style.transform = transform;
}

interface BarView {
  readonly element: HTMLElement;
  grow(byPx: number): void;
  update(shape: Shape, axis: Axis, times: { nowMs: number; selected: number | undefined }): void;
}

function createBar(): BarView {
  const letter = make("span", { class: "letter" });
  const who = make("span", { class: "who" });
  const silence = make("span", { class: "silence" });
  const element = make(
    "button",
    { class: "bar", attributes: { type: "button", tabindex: "-1", "data-item": "" } },
    letter,
    who,
  );
  let present: PresentShape | undefined;
  return {
    element,
    grow(byPx) {
      if (!present) return;
      setStyle(element, "width", px(byPx - present.x));
      if (present.silentX !== undefined) setStyle(silence, "width", px(byPx - present.silentX));
    },
    update(shape, axis, { nowMs, selected }) {
      const isPresent = shape.kind === "present";
      const hold = isPresent ? shape.hold : shape.holds[0];
      const width = isPresent ? (nowMs - axis.nowMs) * scaleOf(axis) - shape.x : shape.width;
      setLeft(element, shape.x);
      present = isPresent ? shape : undefined;
      if (!isPresent) setStyle(element, "width", px(Math.max(0, shape.width - 1)));
      const name = barName(shape, nowMs);
      const handover = handoverText(shape);
      setAttribute(element, "aria-label", name);
      setAttribute(element, "title", handover === undefined ? name : `${name}\n${handover}`);
      setAttribute(element, "data-token", String(hold.token));
      setAttribute(element, "data-look", isPresent ? "held" : ENDINGS[shape.holds[0].reason].look);
      setAttribute(element, "data-confirmed", isPresent ? String(shape.hold.confirmed) : undefined);
      setAttribute(element, "aria-current", selected === hold.token ? "true" : undefined);
      setText(letter, width < LETTER_PX ? "" : letterOf(shape));
      setText(who, width < NAME_PX ? "" : hold.holder);
      if (present?.silentX === undefined) silence.remove();
      else if (!silence.isConnected) element.append(silence);
    },
  };
}

function letterOf(shape: Shape): string {
  if (shape.kind === "present") return "";
  if (shape.holds.length > 1) return `${shape.holds.length}×`;
  return ENDINGS[shape.holds[0].reason].letter;
}

function createTurn(place: number): HTMLElement {
  const look = {
    class: "turn",
    text: String(place),
    attributes: { "aria-hidden": "true", "data-place": String(place) },
  };
  return make("span", look);
}

function placeTurn(element: HTMLElement, { x, width }: TurnShape): void {
  setLeft(element, x);
  setStyle(element, "width", width === undefined ? "200%" : px(width));
}

function setLeft(element: HTMLElement, x: number): void {
  setStyle(element, "left", px(x));
}

const px = (value: number) => `${Math.round(value * 10) / 10}px`;

function setStyle(element: HTMLElement, property: "left" | "width", value: string): void {
  if (element.style[property] !== value) element.style[property] = value;
}

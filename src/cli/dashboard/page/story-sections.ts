/** The parts of a hold's story, as elements. */
import { formatAge } from "../../../shared/age.ts";
import type { HoldStory, LeaseRow, RowCondition, StoryEvent, StoryPod } from "../wire.ts";
import { make } from "./dom.ts";
import type { HoldFacts } from "./story-facts.ts";
import { ENDINGS, endText, holdNotes, whenText } from "./words.ts";

export interface Told {
  lease: LeaseRow;
  facts: HoldFacts | undefined;
  /** undefined: it has not come yet. */
  story: HoldStory | undefined;
  /** What the reader has to know of the story itself; empty: nothing. */
  note: string;
  nowMs: number;
}

/** The sections from top to bottom; what has nothing to say is left out. */
export function storySections({ lease, facts, story, note, nowMs }: Told): HTMLElement[] {
  return [
    factsSection(lease, facts, nowMs),
    ...(story?.sentences ?? []).map((text) => make("p", { class: "sentence", text })),
    ...(note === "" ? [] : [make("p", { class: "quiet", text: note })]),
    ...section("Pods", (story?.pods ?? []).map(podItem), "ul"),
    ...section(
      "Conditions",
      (story?.conditions ?? []).map((condition) => conditionItem(condition, nowMs)),
      "ul",
    ),
    ...section(
      "Events",
      (story?.events ?? []).map((event) => eventItem(event, nowMs)),
      "ol",
    ),
  ];
}

/** The first section: what the row itself knows of the hold. */
export function factsSection(lease: LeaseRow, facts: HoldFacts | undefined, nowMs: number): HTMLElement {
  return facts ? factList(facts, nowMs) : make("p", { class: "quiet", text: nothingKnown(lease) });
}

function nothingKnown({ past, hold }: LeaseRow): string {
  return hold || past.length > 0
    ? "The Lease remembers this hold no longer."
    : "Nobody has held this Lease yet.";
}

function factList(facts: HoldFacts, nowMs: number): HTMLElement {
  const { acquiredMs } = facts;
  const rows: [string, string][] = [];
  if (facts.isPresent) {
    const { hold } = facts;
    const notes = holdNotes(hold, nowMs);
    rows.push(["Held since", `${whenText(acquiredMs, nowMs)} (${formatAge(nowMs - acquiredMs)})`]);
    if (notes.length > 0) rows.push(["State", notes.join(", ")]);
    rows.push([
      "Last heard",
      `${whenText(hold.renewedMs, nowMs)} (${formatAge(nowMs - hold.renewedMs)} ago)`,
    ]);
    const unless = hold.renews ? ", if it is not heard again" : "";
    rows.push(["Until", `${whenText(hold.expiresMs, nowMs)}${unless}`]);
    rows.push(["Kind", hold.kind]);
  } else {
    const { past } = facts;
    const range = `${whenText(acquiredMs, nowMs)} to ${whenText(past.endedMs, nowMs)}`;
    rows.push(["Held", `${range} (${formatAge(past.endedMs - acquiredMs)})`]);
    rows.push(["Ended", `${endText(past)}: ${ENDINGS[past.reason].meaning}`]);
  }
  rows.push(["Token", String(facts.token)]);
  const pairs = rows.flatMap(([name, text]) => [make("dt", { text: name }), make("dd", { text })]);
  return make("dl", { class: "facts" }, ...pairs);
}

function section(title: string, items: readonly HTMLElement[], tag: "ol" | "ul"): HTMLElement[] {
  if (items.length === 0) return [];
  return [make("h3", { text: title }), make(tag, { class: title.toLowerCase() }, ...items)];
}

function eventItem({ atMs, type, reason, message, about }: StoryEvent, nowMs: number): HTMLElement {
  return make(
    "li",
    { attributes: { "data-type": type } },
    make("time", {
      text: whenText(atMs, nowMs),
      attributes: { datetime: new Date(atMs).toISOString() },
    }),
    make("span", { class: "reason", text: type === "Warning" ? `${reason} (warning)` : reason }),
    make("span", { class: "about", text: about }),
    make("span", { class: "message", text: message }),
  );
}

function conditionItem(condition: RowCondition, nowMs: number): HTMLElement {
  const { type, status, reason, message, sinceMs } = condition;
  return make(
    "li",
    { attributes: { "data-status": status } },
    make("span", { class: "reason", text: `${type}: ${status === "True" ? "yes" : "no"}` }),
    make("span", { class: "about", text: `${reason}, since ${whenText(sinceMs, nowMs)}` }),
    make("span", { class: "message", text: message }),
  );
}

function podItem({ name, phase, node, containers }: StoryPod): HTMLElement {
  return make(
    "li",
    {},
    make("span", { class: "reason", text: name }),
    make("span", { class: "about", text: node === undefined ? phase : `${phase} on ${node}` }),
    ...containers.map((each) => make("span", { class: "message", text: `${each.name}: ${each.state}` })),
  );
}

/** The story of one hold, beside the rows. */
import type { HoldStory } from "../wire.ts";
import type { Api } from "./api.ts";
import type { Opened } from "./board.ts";
import { part, setText } from "./dom.ts";
import type { SeenRow } from "./model.ts";
import { factsOf, type HoldFacts } from "./story-facts.ts";
import { factsSection, storySections } from "./story-sections.ts";

export interface StoryOptions {
  api: Api;
  /** Somebody wants to end the present hold. */
  onRelease(row: SeenRow, facts: HoldFacts): void;
  /** It was closed by its reader. */
  onClose(): void;
  /** The API server's time. */
  nowMs(): number;
}

export interface StoryPanel {
  /** Opens the story of a hold, or of the newest one of the row, and moves the keyboard to it. Returns which one. */
  open(row: SeenRow, token: number | undefined): Opened;
  /** The row as it is by now; undefined: it is gone. */
  follow(row: SeenRow | undefined): void;
  /** Ages grow. */
  tick(): void;
  /** Takes the keyboard, if nothing else has it: the button that opened a dialog may be gone. */
  takeLostFocus(): void;
  /** Which hold's story is open. */
  opened(): Opened | undefined;
  close(): void;
}

/** A story that changes is asked for again, but not more often. */
const AGAIN_MS = 1_500;

/** The panel in the elements of index.html. */
export function createStoryPanel({ api, onRelease, onClose, nowMs }: StoryOptions): StoryPanel {
  const panel = part("story", HTMLElement);
  const heading = part("story-heading", HTMLHeadingElement);
  const of = part("story-of", HTMLParagraphElement);
  const body = part("story-body", HTMLDivElement);
  const release = part("story-release", HTMLButtonElement);
  let row: SeenRow | undefined;
  let token: number | undefined;
  let story: HoldStory | undefined;
  let note = "";
  let asking: AbortController | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function draw(): void {
    if (!row) return;
    const { lease } = row;
    const facts = factsOf(lease, token);
    setText(heading, facts?.holder ?? story?.holder ?? lease.name);
    setText(of, `${lease.namespace}/${lease.name}`);
    body.replaceChildren(...storySections({ lease, facts, story, note, nowMs: nowMs() }));
    release.hidden = facts === undefined || !facts.isPresent;
  }

  async function ask(): Promise<void> {
    if (!row || token === undefined) return;
    const { namespace, name } = row.lease;
    asking?.abort();
    const call = new AbortController();
    asking = call;
    try {
      const told = await api.story({ namespace, lease: name, token }, call.signal);
      if (call.signal.aborted) return;
      story = told;
      note = "";
    } catch (error) {
      if (call.signal.aborted) return;
      note = error instanceof Error ? error.message : String(error);
    }
    draw();
  }

  function close(): void {
    asking?.abort();
    clearTimeout(timer);
    timer = undefined;
    row = undefined;
    panel.hidden = true;
  }

  part("story-close", HTMLButtonElement).addEventListener("click", () => {
    close();
    onClose();
  });
  release.addEventListener("click", () => {
    const facts = row && factsOf(row.lease, token);
    if (row && facts?.isPresent) onRelease(row, facts);
  });

  return {
    open(next, wanted) {
      close();
      row = next;
      token = wanted ?? next.lease.hold?.token ?? next.lease.past[0]?.token;
      story = undefined;
      note = token === undefined ? "" : "Reading what happened…";
      panel.hidden = false;
      draw();
      heading.focus();
      void ask();
      return { key: next.lease.key, token };
    },
    follow(next) {
      if (!row || next === row) return;
      if (!next) {
        note = "This Lease is gone.";
        release.hidden = true;
        return draw();
      }
      row = next;
      draw();
      timer ??= setTimeout(() => {
        timer = undefined;
        void ask();
      }, AGAIN_MS);
    },
    tick() {
      if (!row) return;
      const facts = factsSection(row.lease, factsOf(row.lease, token), nowMs());
      const [drawn] = body.children;
      if (drawn && drawn.textContent !== facts.textContent) drawn.replaceWith(facts);
    },
    takeLostFocus() {
      if (row && document.activeElement === document.body) heading.focus();
    },
    opened: () => row && { key: row.lease.key, token },
    close,
  };
}

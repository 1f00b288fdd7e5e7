/** The story of one hold, beside the rows. */
import type { HoldStory, StoryMessage } from "../wire.ts";
import { type Api, type HoldAddress, SESSION_OVER } from "./api.ts";
import type { Opened } from "./board.ts";
import { part, setChildren, setText } from "./dom.ts";
import type { SeenRow } from "./model.ts";
import { factsOf, type HoldFacts } from "./story-facts.ts";
import { factsSection, storySections } from "./story-sections.ts";
import { followStream } from "./stream.ts";

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
  let following = new AbortController();

  function draw(): void {
    if (!row) return;
    const { lease } = row;
    const facts = factsOf(lease, token);
    setText(heading, facts?.holder ?? story?.holder ?? lease.name);
    setText(of, `${lease.namespace}/${lease.name}`);
    const drawn = [...body.children].filter((each) => each instanceof HTMLElement);
    const sections = storySections({ lease, facts, story, note, nowMs: nowMs() });
    // What is as before stays, and with it what somebody has selected there.
    setChildren(
      body,
      sections.map((each, index) => (drawn[index]?.isEqualNode(each) ? drawn[index] : each)),
    );
    release.hidden = facts === undefined || !facts.isPresent;
  }

  function tell(message: StoryMessage): void {
    if (message.type === "story") story = message.story;
    note = message.type === "story" ? "" : message.message;
    draw();
  }

  function say(sentence: string): void {
    note = sentence;
    draw();
  }

  function followStory(hold: HoldAddress): void {
    following = new AbortController();
    const { signal } = following;
    void followStream<StoryMessage>({
      open: (stop) => api.story(hold, stop),
      onMessages(messages) {
        if (!signal.aborted) for (const message of messages) tell(message);
      },
      onState(state) {
        if (state.kind === "over") say(SESSION_OVER);
        if (state.kind !== "broken") return;
        if (state.refusal !== "") say(state.refusal);
        else if (story) say("Not connected: this story may be old.");
      },
      signal,
    });
  }

  function close(): void {
    following.abort();
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
      const { namespace, name } = next.lease;
      if (token !== undefined) followStory({ namespace, lease: name, token });
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

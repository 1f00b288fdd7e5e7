/** What a page is told of one hold, for as long as its story is open. */
import type { ServerResponse } from "node:http";
import type { HoldName } from "./calls.ts";
import { openLines } from "./lines.ts";
import { openStory } from "./open-story.ts";
import type { Picture } from "./picture.ts";
import type { SourceReader } from "./story-sources.ts";

export interface StoryStreamOptions {
  response: ServerResponse;
  reader: SourceReader;
  picture: Picture;
  hold: HoldName;
}

/** A story is up to 300 KB long. */
const GATHER_MS = 500;

/** Begins to tell a story, on a response that nothing was sent on yet. What it follows ends with the connection. */
export function openStoryStream({ response, reader, picture, hold }: StoryStreamOptions): void {
  let told = "";
  let isBeat = false;

  function nextLine(): string | undefined {
    const message = story.tell();
    const line = message === undefined ? told : JSON.stringify([message]);
    const isNews = line !== told;
    if (!isNews && !isBeat) return undefined;
    told = line;
    isBeat = false;
    return isNews ? line : "[]";
  }

  const story = openStory({ reader, picture, hold, onChange: () => lines.wake() });
  const lines = openLines({
    ...{ response, clock: reader.clock, gatherMs: GATHER_MS, next: nextLine },
    onBeat() {
      isBeat = true;
    },
    onEnd: () => story.close(),
  });
  lines.flush();
}

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  followStream,
  type StreamAnswer,
  type StreamState,
} from "../../../../src/cli/dashboard/page/stream.ts";
import type { PageMessage } from "../../../../src/cli/dashboard/wire.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const TIME = '[{"type":"time","nowMs":1}]\n';

/** A page whose server gives these answers, one for each try: chunks and then the end, a status, or silence after the chunks. */
function follow(answers: readonly (readonly string[] | number | { silent: readonly string[] })[]) {
  const states: StreamState[] = [];
  const messages: PageMessage[] = [];
  const end = new AbortController();
  let tries = 0;
  async function open(signal: AbortSignal): Promise<StreamAnswer> {
    const answer = answers[tries++];
    if (answer === undefined) throw new Error("nobody answers");
    if (typeof answer === "number")
      return {
        ok: answer < 400,
        status: answer,
        body: null,
        json: async () => ({ message: `no: ${answer}` }),
      };
    const isSilent = "silent" in answer;
    const chunks = isSilent ? answer.silent : answer;
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(Buffer.from(chunk, "latin1"));
        if (!isSilent) controller.close();
        signal.addEventListener("abort", () => {
          if (isSilent) controller.error(new Error("aborted"));
        });
      },
    });
    return { ok: true, status: 200, body, json: async () => ({}) };
  }
  const ended = followStream<PageMessage>({
    open,
    onMessages: (batch) => void messages.push(...batch),
    onState: (state) => void states.push(state),
    signal: end.signal,
  });
  return { states, messages, ended, end: () => end.abort(), tries: () => tries };
}

test("lines are put together from chunks, also where a chunk ends within a letter", async () => {
  const line = Buffer.from('[{"type":"trouble","about":"leases","message":"zu spät"}]\n').toString("latin1");
  const cut = line.indexOf("\u00c3") + 1;
  const page = follow([[line.slice(0, cut), line.slice(cut) + TIME.slice(0, 5), TIME.slice(5)], 401]);
  await vi.advanceTimersByTimeAsync(1_000);
  await page.ended;
  expect(page.messages).toEqual([
    { type: "trouble", about: "leases", message: "zu spät" },
    { type: "time", nowMs: 1 },
  ]);
});

test("a stream that breaks is opened again, at once and then less and less often", async () => {
  const page = follow([[TIME], 503, 503, [TIME]]);
  await vi.advanceTimersByTimeAsync(60_000);
  page.end();
  await page.ended;
  const seen = page.states.map((state) => (state.kind === "broken" ? state.retryMs : state.kind));
  expect(seen.slice(0, 7)).toEqual(["live", 500, 1_000, 2_000, "live", 500, 1_000]);
  expect(Math.max(...seen.map((each) => Number(each) || 0))).toBe(15_000);
});

test("a stream that says nothing for 40 s is dead", async () => {
  const page = follow([{ silent: [TIME] }]);
  await vi.advanceTimersByTimeAsync(39_000);
  expect(page.states).toEqual([{ kind: "live" }]);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(page.states[1]).toEqual({ kind: "broken", retryMs: 500, refusal: "" });
  page.end();
  await vi.advanceTimersByTimeAsync(1_000);
  await page.ended;
});

test("a session that is over is not asked again", async () => {
  const page = follow([401]);
  await page.ended;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(page.states).toEqual([{ kind: "over" }]);
  expect(page.tries()).toBe(1);
});

test("why the server has refused is told with each try", async () => {
  const page = follow([429, [TIME], 429]);
  await vi.advanceTimersByTimeAsync(1_700);
  page.end();
  await page.ended;
  const refusals = page.states.map((state) => (state.kind === "broken" ? state.refusal : state.kind));
  expect(refusals).toEqual(["no: 429", "live", "", "no: 429"]);
});

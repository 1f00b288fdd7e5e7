/** What becomes of a forced release that a browser has not sent yet. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createApi } from "../../../../src/cli/dashboard/page/api.ts";

const ORDER = { namespace: "ns", lease: "nightly", token: 7, now: false };
/** Those that the browser still keeps back, as if it had no connection free. */
let kept = 0;

beforeEach(() => {
  kept = 0;
  vi.stubGlobal("fetch", (_: string, { signal }: RequestInit) => {
    kept++;
    return new Promise((_, reject) => {
      signal?.addEventListener("abort", () => {
        kept--;
        reject(signal.reason);
      });
    });
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

test("an order that was not sent yet is not sent once its dialog is closed", async () => {
  const dialog = new AbortController();
  const ordered = createApi("t").release(ORDER, dialog.signal);
  expect(kept).toBe(1);
  dialog.abort();
  await expect(ordered).rejects.toBe(dialog.signal.reason);
  expect(kept).toBe(0);
});

test("an order that nobody has answered in 30 s is taken back, and a sentence says what is not known", async () => {
  const late = new AbortController();
  const timeout = vi.spyOn(AbortSignal, "timeout").mockReturnValue(late.signal);
  const ordered = createApi("t").release(ORDER, new AbortController().signal);
  expect(timeout).toHaveBeenCalledWith(30_000);
  late.abort();
  await expect(ordered).rejects.toThrow("No answer has come in 30 s. See whether the hold is over");
  expect(kept).toBe(0);
});

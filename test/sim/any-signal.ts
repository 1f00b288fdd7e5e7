/**
 * `AbortSignal.any` for the time of a story. Node.js keeps every composite signal with listeners until it is aborted, and with it everything
 * that the listeners refer to: here the whole world, long after its story.
 */
export function anySignal(signals: Iterable<AbortSignal>): AbortSignal {
  const controller = new AbortController();
  const all = [...signals];
  const aborted = all.find((signal) => signal.aborted);
  if (aborted) controller.abort(aborted.reason);
  else
    for (const signal of all)
      signal.addEventListener("abort", () => controller.abort(signal.reason), { once: true });
  return controller.signal;
}

/**
 * `AbortSignal.any` for the time of a story. Node keeps each composite signal that somebody listens to until it is aborted, and with it
 * everything that its listeners know: here the whole world, when its story is long over.
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

/** Unions and differences of spans of time. */
export interface Span {
  fromMs: number;
  toMs: number;
}

/** The spans in order, with overlapping ones joined. */
export function union(spans: readonly Span[]): Span[] {
  const joined: Span[] = [];
  for (const { fromMs, toMs } of spans.toSorted((a, b) => a.fromMs - b.fromMs)) {
    const last = joined.at(-1);
    if (last && fromMs <= last.toMs) last.toMs = Math.max(last.toMs, toMs);
    else joined.push({ fromMs, toMs });
  }
  return joined;
}

/** The parts of `spans` that lie outside of `others`; both must be unions. */
export function without(spans: readonly Span[], others: readonly Span[]): Span[] {
  return spans.flatMap(({ fromMs, toMs }) => {
    const left: Span[] = [];
    let startMs = fromMs;
    for (const other of others.filter((each) => each.fromMs < toMs && each.toMs > fromMs)) {
      if (other.fromMs > startMs) left.push({ fromMs: startMs, toMs: other.fromMs });
      startMs = Math.max(startMs, other.toMs);
    }
    if (startMs < toMs) left.push({ fromMs: startMs, toMs });
    return left;
  });
}

/** The total length of the union of `spans`. */
export function lengthMs(spans: readonly Span[]): number {
  return union(spans).reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0);
}

/** The parts of `spans` that lie within `window`. */
export function within(window: Span, spans: readonly Span[]): Span[] {
  return spans
    .map(({ fromMs, toMs }) => ({
      fromMs: Math.max(fromMs, window.fromMs),
      toMs: Math.min(toMs, window.toMs),
    }))
    .filter(({ fromMs, toMs }) => fromMs < toMs);
}

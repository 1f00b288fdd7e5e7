/** One span, finished when it is made: who writes a change knows when what ends with it has begun. */
export interface Span {
  traceId: string;
  spanId: string;
  /** undefined: the root of its trace. */
  parentId?: string | undefined;
  name: SpanName;
  startMs: number;
  endMs: number;
  attributes: Attributes;
  /** What went wrong; undefined: nothing did. */
  error?: string | undefined;
  /** Whose it is: namespaces share the room. */
  namespace: string;
}

export type SpanName = "admission" | "waiting" | "hold" | "grant" | "confirmation" | "main" | "release";

/** What is undefined is left out. */
export type Attributes = Readonly<Record<string, string | number | boolean | undefined>>;

/** What the examples record about themselves, read from the logs of their pods while they run. */
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type { Transport } from "../../src/kube/transport.ts";

/** A line `SECONDS start` or `SECONDS end`, in seconds since the epoch with a fraction. */
export interface Mark {
  event: "start" | "end";
  atMs: number;
}

export interface ContainerName {
  namespace: string;
  pod: string;
  container: string;
}

const LIMIT_BYTES = 1 << 20;

/** Undefined for any other line that a workload writes. */
export function parseMark(line: string): Mark | undefined {
  const [, seconds, event] = /^(\d+\.\d+) (start|end)$/.exec(line) ?? [];
  return event === "start" || event === "end" ? { event, atMs: Number(seconds) * 1_000 } : undefined;
}

/** Yields the marks of a container that has started, until the container ends. Throws if the log cannot be read or `signal` aborts. */
export async function* followMarks(
  transport: Transport,
  { namespace, pod, container }: ContainerName,
  signal: AbortSignal,
): AsyncGenerator<Mark> {
  const body = await transport.stream(
    {
      verb: "get",
      method: "GET",
      path: `/api/v1/namespaces/${namespace}/pods/${pod}/log?container=${container}&follow=true`,
      action: `follow the log of pod ${namespace}/${pod}`,
      limitBytes: LIMIT_BYTES,
    },
    signal,
    0,
  );
  for await (const line of createInterface({ input: Readable.from(body) })) {
    const mark = parseMark(line);
    if (mark) yield mark;
  }
}

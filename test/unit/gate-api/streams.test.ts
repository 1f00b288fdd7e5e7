import { expect, test } from "vitest";
import { createStreams } from "../../../src/server/gate-api/acquire/streams.ts";
import { recordedStream } from "./recorded-stream.ts";

test("a full replica refuses newcomers, but not pods that come back, until a stream closes", () => {
  const streams = createStreams(1);
  const { stream, hangUp } = recordedStream();
  streams.add("one", stream);
  streams.admit("one");
  expect(() => streams.admit("two")).toThrow(
    expect.objectContaining({ code: "TooManyRequests", elsewhere: true, retryAfterMs: 5_000 }),
  );
  hangUp();
  streams.admit("two");
});

test("a pod's new stream replaces its previous one, whose end frees no place", () => {
  const streams = createStreams(1);
  const [before, after] = [recordedStream(), recordedStream()];
  let isEnded = false;
  before.stream.onClose(() => {
    isEnded = true;
  });
  streams.add("one", before.stream);
  streams.add("one", after.stream);
  expect(isEnded).toBe(true);
  expect(() => streams.admit("two")).toThrow(expect.objectContaining({ code: "TooManyRequests" }));
});

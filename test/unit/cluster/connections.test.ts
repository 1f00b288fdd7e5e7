import { expect, test } from "vitest";
import { parseConnections } from "../../cluster/network/connections.ts";

const LINE =
  "0      0      [::ffff:198.18.64.2]:20001 [::ffff:198.18.128.3]:57754 cubic wscale:10,10 rto:204 bytes_sent:1 send 15bps lastsnd:1508 lastrcv:1708 lastack:1508 minrtt:0.017";

test("a connection is parsed from the output of ss", () => {
  expect(parseConnections(`${LINE}\n\n`)).toEqual([
    { podPort: 57_754, requestedAgoMs: 1_708, answeredAgoMs: 1_508 },
  ]);
  // ss omits a time of zero.
  expect(parseConnections(LINE.replace("lastsnd:1508 ", ""))).toMatchObject([{ answeredAgoMs: 0 }]);
});

test("a line without a connection is an error", () => {
  expect(() => parseConnections("State Recv-Q")).toThrow("ss");
});

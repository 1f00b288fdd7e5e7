/** What the dashboard keeps of the events of ended holds, and how much of it. */
import { expect, test } from "vitest";
import {
  createEndedHolds,
  type EndedHold,
  parseEndedHold,
} from "../../../../src/cli/dashboard/ended-holds.ts";
import { endAnnotations } from "../../../../src/objects/hold-events.ts";

const lease = (name: string) => ({ namespace: "ns", name, uid: `${name}-uid` });
const end = (name: string, token: number): EndedHold => ({
  lease: `ns/${name}`,
  leaseUid: `${name}-uid`,
  past: { holder: "run", token, acquiredMs: token, endedMs: token, reason: "Released" },
});
const filled = (name: string, count: number, ended = createEndedHolds(() => undefined)) => {
  for (let token = 1; token <= count; token++) ended.put(`${name}-${token}`, end(name, token));
  return ended;
};

test("of a klease the latest 500 ends are kept", () => {
  const tokens = filled("busy", 600)
    .of(lease("busy"))
    .map(({ token }) => token);
  expect([tokens.length, Math.min(...tokens), Math.max(...tokens)]).toEqual([500, 101, 600]);
});

test("of all kleases 20,000 ends are kept, and those with the most make room for others", () => {
  const ended = createEndedHolds(() => undefined);
  for (let index = 0; index < 40; index++) filled(`full-${index}`, 500, ended);
  filled("late", 3, ended);
  expect(ended.of(lease("late"))).toHaveLength(3);
  const lengths = Array.from({ length: 40 }, (_, index) => ended.of(lease(`full-${index}`)).length);
  expect(lengths.reduce((a, b) => a + b)).toBe(19_997);
  expect(Math.min(...lengths)).toBe(499);
});

test("a namespace that tells of ends without number loses its own, and no other namespace does", () => {
  const ended = createEndedHolds(() => undefined);
  filled("early", 100, ended);
  for (let index = 0; index < 20_100; index++)
    ended.put(`forged-${index}`, { ...end("any", index), lease: `evil/no-${index}` });
  filled("late", 100, ended);
  expect(ended.of(lease("early"))).toHaveLength(100);
  expect(ended.of(lease("late"))).toHaveLength(100);
});

test("an end is forgotten with its event, and known of the klease of that uid only", () => {
  const changed: string[] = [];
  const ended = createEndedHolds((key) => void changed.push(key));
  ended.put("e1", end("nightly", 1));
  expect(ended.of(lease("nightly"))).toHaveLength(1);
  expect(ended.of({ ...lease("nightly"), uid: "another" })).toEqual([]);
  ended.drop("e1");
  ended.drop("never told");
  expect(ended.of(lease("nightly"))).toEqual([]);
  expect(changed).toEqual(["ns/nightly", "ns/nightly"]);
});

test("a new list is all that is known", () => {
  const ended = filled("nightly", 3);
  ended.replace(
    new Map([
      ["nightly-2", end("nightly", 2)],
      ["new", end("nightly", 9)],
    ]),
  );
  expect(ended.of(lease("nightly")).map(({ token }) => token)).toEqual([2, 9]);
});

test("of an event only what tells of the end is kept, and a long name is cut", () => {
  const long = "é".repeat(5_000);
  const past = { ...end("nightly", 7).past, holder: long, by: "alice" };
  const source = { component: "konductor" };
  const event = {
    ...{ reason: "Released", message: long, reportingComponent: "konductor", source },
    metadata: { namespace: "ns", name: "e", uid: "u", annotations: endAnnotations(past) },
    involvedObject: { name: "nightly", uid: "nightly-uid" },
  };
  expect(parseEndedHold(event)).toEqual({
    ...end("nightly", 7),
    past: { ...past, holder: "é".repeat(253) },
  });
  expect(parseEndedHold({ ...event, reason: "Granted" })).toBeUndefined();
});

/** The checker sees what it is there for: histories that break each rule, and ones next to them that break none. */
import { expect, test } from "vitest";
import { GRANTED_WITHIN_MS, violations } from "../../sim/check.ts";
import { FOR_SECONDS, MOST_AT_ONCE, MOST_CALLS, TOLD_WITHIN_MS } from "../../sim/check-clients.ts";
import type { Fact, Noted } from "../../sim/history.ts";

/** Facts, each a second after the one before; a number lets so many milliseconds pass. */
function history(...told: (Fact | number)[]): Noted[] {
  let atMs = 1_000_000;
  return told.flatMap((fact) => {
    if (typeof fact === "number") {
      atMs += fact;
      return [];
    }
    atMs += 1_000;
    return [{ ...fact, atMs }];
  });
}

const rules = (...told: (Fact | number)[]) =>
  violations(history(...told)).map((sentence) => sentence.split(":")[0]);

const runs = (who: string, claim = who): Fact => ({ what: "runs", who, claim });
const stops = (who: string): Fact => ({ what: "stops", who });
const granted = (claim: string, token: number, readyForMs = 0): Fact => ({
  what: "granted",
  ...{ claim, token },
  passed: readyForMs > 0 ? [{ who: "first", readyForMs }] : [],
});
const lost = (claim: string, token: number, how: string): Fact => ({ what: "lost", claim, token, how });
const renewed = (claim: string): Fact => ({ what: "renewed", claim, isAnswered: true });
const refused = (claim: string, code: string): Fact => ({
  what: "renewed",
  claim,
  isAnswered: false,
  refused: code,
});
const unanswered = (claim: string): Fact => ({ what: "renewed", claim, isAnswered: false });
const turnedAway = (claim: string): Fact => ({
  what: "renewed",
  claim,
  isAnswered: false,
  isElsewhere: true,
});
const fenced = (claim: string): Fact => ({ what: "troubled", claim, why: "fenced" });
const gate: Fact = { what: "gate", claim: "a" };
const goes: Fact = { what: "troubled", claim: "a", why: "deleted" };
const vanished: Fact = { what: "vanished", claim: "a", graceMs: 3_000 };
const said: Fact = { what: "said", claim: "a" };
const holds: readonly Fact[] = [granted("a", 7), runs("a")];
const fault: Fact = { what: "fault", name: "x" };
const calm: Fact = { what: "calm" };
const idle: Fact = { what: "idle", who: "a" };
const limited: Fact = { what: "limited", claim: "a", maxHoldMs: 30_000, startTimeoutMs: 8_000 };
const elected: Fact = { what: "upset", by: "election" };
const ended: Fact = { what: "upset", by: "end" };
const deleted: Fact = { what: "upset", by: "deletion" };
/** Long after everything was well. */
const well = [elected, 60_000];
const asks = (who: string, timeoutMs: number): Fact => ({ what: "asks", who, timeoutMs });
const told = (who: string, code: string): Fact => ({ what: "told", who, code });
const dies = (claim: string, mayRunForMs: number): Fact => ({
  what: "dies",
  ...{ claim, mayRunForMs, ttlMs: 15_000, mustConfirm: true },
});
const many: Fact = { what: "called", times: MOST_CALLS + 1 };
const FOR_EVER = Number.POSITIVE_INFINITY;

test.each<[string, string[], (Fact | number)[]]>([
  ["two mains", ["two"], [runs("a"), runs("b")]],
  ["one main after the other", [], [runs("a"), stops("a"), runs("b")]],
  ["two pods of one Job", [], [runs("a", "job"), runs("b", "job")]],
  ["a pod beside a Job's", ["two"], [runs("a", "job"), runs("b", "job"), runs("c")]],

  [
    "one that has lost its hold, and is to continue",
    [],
    [
      { what: "limited", claim: "a", continues: true },
      ...holds,
      unanswered("a"),
      lost("a", 7, "Expired"),
      runs("b"),
    ],
  ],
  [
    "one that has lost its hold, and begins again",
    [],
    [
      { what: "limited", claim: "a", continues: true },
      ...holds,
      stops("a"),
      lost("a", 7, "Expired"),
      runs("b"),
      runs("a"),
    ],
  ],
  [
    "one that is to continue, and holds",
    ["two"],
    [{ what: "limited", claim: "a", continues: true }, ...holds, runs("b")],
  ],

  ["a token given twice", ["tokens"], [granted("a", 7), granted("b", 7)]],
  ["a token that falls", ["tokens"], [granted("a", 7), granted("b", 6)]],
  ["tokens that rise", [], [granted("a", 7), granted("b", 8)]],

  ["a first one who was passed over", ["order"], [granted("b", 7, 10_000)]],
  ["a first one who has only just come", [], [granted("b", 7, 1_000)]],
  ["while something is broken", [], [fault, granted("b", 7, 10_000)]],
  ["just after something was broken", [], [fault, calm, granted("b", 7, 10_000)]],
  ["long after something was broken", ["order"], [fault, calm, 20_000, granted("b", 7, 10_000)]],

  [
    "a keeper that fences beside a replica that would renew",
    ["healthy"],
    [granted("a", 7), runs("a"), renewed("a"), turnedAway("a"), fenced("a")],
  ],
  [
    "a keeper that fences though it was renewed after all",
    [],
    [granted("a", 7), runs("a"), turnedAway("a"), renewed("a"), fenced("a")],
  ],
  ["a keeper that fences unanswered", [], [granted("a", 7), runs("a"), unanswered("a"), fenced("a")]],
  [
    "a healthy hold that expires",
    ["healthy"],
    [granted("a", 7), runs("a"), renewed("a"), lost("a", 7, "Expiring")],
  ],
  [
    "one whose renewal was not answered",
    [],
    [granted("a", 7), runs("a"), unanswered("a"), lost("a", 7, "Expiring")],
  ],
  [
    "one that was not answered under an earlier hold",
    ["healthy"],
    [granted("a", 7), unanswered("a"), granted("a", 8), runs("a"), lost("a", 8, "Expiring")],
  ],
  [
    "one that something befell",
    [],
    [granted("a", 7), runs("a"), { what: "troubled", claim: "a", why: "x" }, lost("a", 7, "Expiring")],
  ],
  ["one that is released", [], [granted("a", 7), runs("a"), stops("a"), lost("a", 7, "Released")]],
  ["one that is released beside its main", ["healthy"], [...holds, lost("a", 7, "Released")]],
  ["one that is replaced beside its main", ["healthy"], [...holds, lost("a", 7, "Restarted")]],
  ["a grant that is taken back at once", ["healthy"], [granted("a", 7), gate, lost("a", 7, "NotConfirmed")]],
  ["a grant of one that was deleted before", [], [gate, goes, granted("a", 7), lost("a", 7, "NotConfirmed")]],
  ["a grant that was not answered", [], [gate, granted("a", 7), 10_000, lost("a", 7, "NotConfirmed")]],
  ["a grant that nobody could answer", [], [granted("a", 7), lost("a", 7, "NotConfirmed")]],
  ["one that is taken away", [], [granted("a", 7), runs("a"), lost("a", 7, "Forced")]],
  [
    "a running main that has not started",
    ["healthy"],
    [limited, granted("a", 7), runs("a"), 9_000, lost("a", 7, "NotStarted")],
  ],
  [
    "a main that started too late",
    [],
    [limited, granted("a", 7), 9_000, runs("a"), lost("a", 7, "NotStarted")],
  ],
  ["max-hold before its time", ["healthy"], [limited, granted("a", 7), runs("a"), refused("a", "MaxHold")]],
  [
    "max-hold in time",
    [],
    [limited, granted("a", 7), runs("a"), 30_000, refused("a", "MaxHold"), lost("a", 7, "Expiring")],
  ],

  [
    "one who has vanished, in whose place nobody is served",
    ["ending"],
    [...holds, vanished, said, 13_000, lost("a", 7, "Expiring")],
  ],
  ["to the very end", ["ending"], [...holds, vanished, said, 13_000, stops("a")]],
  [
    "one who has vanished, and ends in time",
    [],
    [...holds, vanished, said, 11_000, lost("a", 7, "Released")],
  ],
  ["one who has vanished without a word", [], [...holds, vanished, 20_000, lost("a", 7, "Expired")]],
  ["one who has vanished while a replica ends", [], [...holds, vanished, said, ended, 20_000, stops("a")]],
  [
    "one who has vanished on a node that died",
    [],
    [...holds, vanished, said, fenced("a"), 20_000, stops("a")],
  ],

  ["a free klease for too long", ["idle"], [calm, idle, GRANTED_WITHIN_MS, { what: "busy" }]],
  ["to the very end", ["idle"], [calm, idle, GRANTED_WITHIN_MS, stops("a")]],
  ["not so long", [], [calm, idle, GRANTED_WITHIN_MS / 2, { what: "busy" }]],
  ["as long as something is broken", [], [fault, idle, GRANTED_WITHIN_MS, { what: "busy" }]],
  ["for as long after that", ["idle"], [fault, idle, calm, GRANTED_WITHIN_MS, { what: "busy" }]],

  [
    "as long as who held it before is waited for",
    [],
    [lost("b", 7, "Deleted"), idle, 300_000, { what: "busy" }],
  ],
  ["by a new arbiter", [], [lost("b", 7, "Deleted"), idle, 300_000, elected, 600_000, { what: "busy" }]],
  ["for too long", ["idle"], [lost("b", 7, "Deleted"), idle, 900_000, { what: "busy" }]],

  ["one try that somebody else holds it", [], [...well, asks("a", 0), told("a", "Held")]],
  ["one try too late", ["told"], [...well, asks("a", 0), TOLD_WITHIN_MS, told("a", "Held")]],
  ["one try that konductor is silent", ["told"], [...well, asks("a", 0), told("a", "NotReady")]],
  ["one try while something is broken", [], [...well, fault, asks("a", 0), told("a", "NotReady")]],
  ["one try when something breaks", [], [...well, asks("a", 0), fault, told("a", "NotReady")]],
  ["one try of a klease that is deleted", [], [...well, asks("a", 0), deleted, told("a", "NotFound")]],
  ["one try before the first election", [], [asks("a", 0), told("a", "NotReady")]],
  ["a wait that is over", [], [...well, asks("a", 20_000), 20_000, told("a", "TimedOut")]],
  ["a wait that is not over", ["told"], [asks("a", 20_000), told("a", "TimedOut")]],
  ["a wait without end that is over", ["told"], [asks("a", FOR_EVER), 600_000, told("a", "TimedOut")]],
  ["a request that is gone", ["told"], [fault, asks("a", FOR_EVER), told("a", "Withdrawn")]],
  ["a wait that is refused", ["told"], [fault, asks("a", FOR_EVER), told("a", "Held")]],
  ["that its name is in use", [], [asks("a", FOR_EVER), { what: "namesake", who: "a" }, told("a", "Held")]],

  ["a killed client that may run on", ["dead"], [granted("a", 7), dies("a", 9_000), granted("b", 8)]],
  ["one that may not run on", [], [granted("a", 7), dies("a", 9_000), 9_000, granted("b", 8)]],
  [
    "one that was taken away",
    [],
    [granted("a", 7), dies("a", 9_000), lost("a", 7, "Forced"), granted("b", 8)],
  ],
  ["one that is taken over", [], [dies("a", 9_000), asks("a", FOR_EVER), granted("b", 8)]],
  ["a killed client that is in the way", ["dead"], [dies("a", 0), 20_000, lost("a", 7, "Expired")]],
  ["to the very end", ["dead"], [dies("a", 0), 20_000, stops("b")]],
  ["not for long", [], [dies("a", 0), 15_000, lost("a", 7, "Expired")]],
  ["under a new arbiter", [], [dies("a", 0), 15_000, elected, 15_000, lost("a", 7, "Expired")]],
  ["for too long", ["dead"], [dies("a", 0), 15_000, elected, 20_000, lost("a", 7, "Expired")]],
  ["while something is broken", [], [dies("a", 0), fault, 20_000, lost("a", 7, "Expired")]],
  [
    "a grant to somebody dead",
    ["dead"],
    [dies("a", 0), granted("a", 7), 13_000, lost("a", 7, "NotConfirmed")],
  ],
  ["that is taken back", [], [dies("a", 0), granted("a", 7), 10_000, lost("a", 7, "NotConfirmed")]],

  ["a circle", ["calls"], [many, many, many]],
  ["a short and fast one", ["calls"], [{ what: "called", times: MOST_AT_ONCE + 1 }]],
  ["much at once", [], [{ what: "called", times: MOST_AT_ONCE }]],
  ["much that has waited", [], [many, many, 2_000, many]],
  ["much to do", [], Array.from({ length: FOR_SECONDS }, () => ({ what: "called", times: MOST_CALLS }))],

  ["somebody forgotten", ["forgotten"], [{ what: "forgotten", who: "a" }]],
  ["a pod that is deleted while it waits", ["forgotten"], [{ what: "dismissed", who: "a" }]],
  ["a pod that is refused without a reason", ["forgotten"], [{ what: "misread", who: "a" }]],
  ["a Job that is skipped for others", [], [{ what: "skipped", who: "a", others: 1, most: 1 }]],
  ["one that is skipped for fewer", ["forgotten"], [{ what: "skipped", who: "a", others: 1, most: 2 }]],
])("%s: %j", (_, expected, told) => {
  expect(rules(...told)).toEqual(expected);
});

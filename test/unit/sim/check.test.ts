/** The checker finds histories that break each rule, and passes similar ones that break none. */
import { expect, test } from "vitest";
import { GRANTED_WITHIN_MS, violations } from "../../sim/check.ts";
import { FOR_SECONDS, MOST_AT_ONCE, MOST_CALLS, TOLD_WITHIN_MS } from "../../sim/check-clients.ts";
import type { Fact, Noted } from "../../sim/history.ts";

/** A history of facts that are a second apart. A number lets as many milliseconds pass. */
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
const policy: Fact = { what: "policy", claim: "a" };
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
/** Long after the first election, with nothing broken. */
const well = [elected, 60_000];
const limit = (what: "crowded" | "turnedAway"): Fact => ({ what, who: "a", before: 1, most: 1 });
const asks = (who: string, timeoutMs: number): Fact => ({ what: "asks", who, timeoutMs });
const told = (who: string, code: string): Fact => ({ what: "told", who, code });
const dies = (claim: string, mayRunForMs: number): Fact => ({
  what: "dies",
  ...{ claim, mayRunForMs, ttlMs: 15_000, mustConfirm: true },
});
const timedOut = (waitedMs: number): Fact => ({ what: "timedOut", who: "a", timeoutMs: 40_000, waitedMs });
const many: Fact = { what: "called", times: MOST_CALLS + 1 };
const FOR_EVER = Number.POSITIVE_INFINITY;

test.each<[string, string[], (Fact | number)[]]>([
  ["two mains", ["two"], [runs("a"), runs("b")]],
  ["one main after the other", [], [runs("a"), stops("a"), runs("b")]],
  ["two mains of one Job", [], [runs("a", "job"), runs("b", "job")]],
  ["a main beside those of a Job", ["two"], [runs("a", "job"), runs("b", "job"), runs("c")]],

  [
    "a main with on-lost: continue beside the next, after it lost its hold",
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
    "a main with on-lost: continue that begins again after it lost its hold",
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
    "a main with on-lost: continue beside the next, while it holds",
    ["two"],
    [{ what: "limited", claim: "a", continues: true }, ...holds, runs("b")],
  ],

  ["a token granted twice", ["tokens"], [granted("a", 7), granted("b", 7)]],
  ["a token that falls", ["tokens"], [granted("a", 7), granted("b", 6)]],
  ["tokens that rise", [], [granted("a", 7), granted("b", 8)]],

  ["a grant that passed over a ready first waiter", ["order"], [granted("b", 7, 10_000)]],
  ["a grant that passed over a first waiter that has just come", [], [granted("b", 7, 1_000)]],
  ["a grant that passed over the first waiter during a fault", [], [fault, granted("b", 7, 10_000)]],
  [
    "a grant that passed over the first waiter just after a fault",
    [],
    [fault, calm, granted("b", 7, 10_000)],
  ],
  [
    "a grant that passed over the first waiter long after a fault",
    ["order"],
    [fault, calm, 20_000, granted("b", 7, 10_000)],
  ],

  [
    "a keeper that fences although another replica would renew",
    ["healthy"],
    [granted("a", 7), runs("a"), renewed("a"), turnedAway("a"), fenced("a")],
  ],
  [
    "a keeper that fences after another replica renewed",
    [],
    [granted("a", 7), runs("a"), turnedAway("a"), renewed("a"), fenced("a")],
  ],
  ["a keeper that fences without an answer", [], [granted("a", 7), runs("a"), unanswered("a"), fenced("a")]],
  [
    "a healthy hold that expires",
    ["healthy"],
    [granted("a", 7), runs("a"), renewed("a"), lost("a", 7, "Expiring")],
  ],
  [
    "a hold that expires after an unanswered renewal",
    [],
    [granted("a", 7), runs("a"), unanswered("a"), lost("a", 7, "Expiring")],
  ],
  [
    "a hold that expires after an unanswered renewal of an earlier hold",
    ["healthy"],
    [granted("a", 7), unanswered("a"), granted("a", 8), runs("a"), lost("a", 8, "Expiring")],
  ],
  [
    "a hold that expires after trouble",
    [],
    [granted("a", 7), runs("a"), { what: "troubled", claim: "a", why: "x" }, lost("a", 7, "Expiring")],
  ],
  ["a hold that is released", [], [granted("a", 7), runs("a"), stops("a"), lost("a", 7, "Released")]],
  ["a hold that is released while its main runs", ["healthy"], [...holds, lost("a", 7, "Released")]],
  ["a hold that is replaced while its main runs", ["healthy"], [...holds, lost("a", 7, "Restarted")]],
  ["a grant that is taken back at once", ["healthy"], [granted("a", 7), gate, lost("a", 7, "NotConfirmed")]],
  [
    "a grant to a pod that was deleted before",
    [],
    [gate, goes, granted("a", 7), lost("a", 7, "NotConfirmed")],
  ],
  [
    "a grant that was not confirmed in time",
    [],
    [gate, granted("a", 7), 10_000, lost("a", 7, "NotConfirmed")],
  ],
  ["a grant that nobody could confirm", [], [granted("a", 7), lost("a", 7, "NotConfirmed")]],
  ["a hold that is forced", [], [granted("a", 7), runs("a"), lost("a", 7, "Forced")]],
  [
    "a NotStarted of a main that had started",
    ["healthy"],
    [limited, granted("a", 7), runs("a"), 9_000, lost("a", 7, "NotStarted")],
  ],
  [
    "a NotStarted of a main that started too late",
    [],
    [limited, granted("a", 7), 9_000, runs("a"), lost("a", 7, "NotStarted")],
  ],
  [
    "a NotStarted before its time is over",
    ["healthy"],
    [limited, granted("a", 7), lost("a", 7, "NotStarted")],
  ],
  [
    "a main that starts after its NotStarted",
    [],
    [limited, granted("a", 7), 8_000, lost("a", 7, "NotStarted"), runs("a"), lost("a", 7, "Expiring")],
  ],
  [
    "max-hold before it is reached",
    ["healthy"],
    [limited, granted("a", 7), runs("a"), refused("a", "MaxHold")],
  ],
  [
    "max-hold once it is reached",
    [],
    [limited, granted("a", 7), runs("a"), 30_000, refused("a", "MaxHold"), lost("a", 7, "Expiring")],
  ],
  [
    "a hold that expires after max-hold without a refusal",
    ["healthy"],
    [limited, granted("a", 7), runs("a"), 30_000, renewed("a"), lost("a", 7, "Expiring")],
  ],
  [
    "a hold that is released while its main runs, after max-hold",
    ["healthy"],
    [limited, granted("a", 7), runs("a"), 30_000, refused("a", "MaxHold"), lost("a", 7, "Released")],
  ],
  [
    "a hold that is released after a change of policy",
    ["healthy"],
    [...holds, policy, lost("a", 7, "Released")],
  ],

  [
    "a vanished holder that is not followed",
    ["ending"],
    [...holds, vanished, said, 13_000, lost("a", 7, "Expiring")],
  ],
  [
    "a vanished holder that is not followed until the end",
    ["ending"],
    [...holds, vanished, said, 13_000, stops("a")],
  ],
  [
    "a vanished holder that is released in time",
    [],
    [...holds, vanished, said, 11_000, lost("a", 7, "Released")],
  ],
  [
    "a vanished holder whose keeper announced nothing",
    [],
    [...holds, vanished, 20_000, lost("a", 7, "Expired")],
  ],
  ["a vanished holder after a change of policy", [], [...holds, vanished, said, policy, 20_000, stops("a")]],
  ["a vanished holder while a replica ends", [], [...holds, vanished, said, ended, 20_000, stops("a")]],
  ["a vanished holder that is fenced", [], [...holds, vanished, said, fenced("a"), 20_000, stops("a")]],

  ["a klease that is free for too long", ["idle"], [calm, idle, GRANTED_WITHIN_MS, { what: "busy" }]],
  ["a klease that is free until the end", ["idle"], [calm, idle, GRANTED_WITHIN_MS, stops("a")]],
  ["a klease that is free for a short time", [], [calm, idle, GRANTED_WITHIN_MS / 2, { what: "busy" }]],
  ["a klease that is free during a fault", [], [fault, idle, GRANTED_WITHIN_MS, { what: "busy" }]],
  [
    "a klease that is free for too long after a fault",
    ["idle"],
    [fault, idle, calm, GRANTED_WITHIN_MS, { what: "busy" }],
  ],

  [
    "a recreated klease that awaits its former holder",
    [],
    [lost("b", 7, "Deleted"), idle, 300_000, { what: "busy" }],
  ],
  [
    "a recreated klease that awaits its former holder under a new arbiter",
    [],
    [lost("b", 7, "Deleted"), idle, 300_000, elected, 600_000, { what: "busy" }],
  ],
  [
    "a recreated klease that is free for too long",
    ["idle"],
    [lost("b", 7, "Deleted"), idle, 900_000, { what: "busy" }],
  ],

  ["a single try that is told Held", [], [...well, asks("a", 0), told("a", "Held")]],
  [
    "a single try that is told Held too late",
    ["told"],
    [...well, asks("a", 0), TOLD_WITHIN_MS, told("a", "Held")],
  ],
  ["a single try that is told NotReady", ["told"], [...well, asks("a", 0), told("a", "NotReady")]],
  ["a single try during a fault", [], [...well, fault, asks("a", 0), told("a", "NotReady")]],
  ["a single try before a fault", [], [...well, asks("a", 0), fault, told("a", "NotReady")]],
  ["a single try of a deleted klease", [], [...well, asks("a", 0), deleted, told("a", "NotFound")]],
  ["a single try before the first election", [], [asks("a", 0), told("a", "NotReady")]],
  ["a grant of a paused klease", ["owner"], [{ ...granted("a", 7), against: "paused" } as Fact]],
  ["one who is let wait beyond the limit", ["owner"], [...well, limit("crowded")]],
  ["one who is let wait while something is broken", [], [...well, fault, limit("crowded")]],
  ["one who is turned away below the limit", ["owner"], [...well, limit("turnedAway")]],
  ["a wait that ends since too many wait", [], [...well, asks("a", 20_000), told("a", "QueueFull")]],
  ["a wait that times out on time", [], [...well, asks("a", 20_000), 20_000, told("a", "TimedOut")]],
  ["a wait that times out too early", ["told"], [asks("a", 20_000), told("a", "TimedOut")]],
  ["an endless wait that times out", ["told"], [asks("a", FOR_EVER), 600_000, told("a", "TimedOut")]],
  ["a request that is gone", ["told"], [fault, asks("a", FOR_EVER), told("a", "Withdrawn")]],
  ["an endless wait that is told Held", ["told"], [fault, asks("a", FOR_EVER), told("a", "Held")]],
  [
    "an endless wait whose name is in use",
    [],
    [asks("a", FOR_EVER), { what: "namesake", who: "a" }, told("a", "Held")],
  ],

  [
    "a grant while a killed client may run on",
    ["dead"],
    [granted("a", 7), dies("a", 9_000), granted("b", 8)],
  ],
  [
    "a grant once a killed client cannot run on",
    [],
    [granted("a", 7), dies("a", 9_000), 9_000, granted("b", 8)],
  ],
  [
    "a grant after a killed client's hold was forced",
    [],
    [granted("a", 7), dies("a", 9_000), lost("a", 7, "Forced"), granted("b", 8)],
  ],
  [
    "a grant after a killed client was restarted",
    [],
    [dies("a", 9_000), asks("a", FOR_EVER), granted("b", 8)],
  ],
  ["a pod whose wait is over too early", ["told"], [timedOut(30_000)]],
  ["a pod whose wait is over", [], [timedOut(40_000)]],

  ["a killed client that holds for too long", ["dead"], [dies("a", 0), 20_000, lost("a", 7, "Expired")]],
  ["a killed client that holds until the end", ["dead"], [dies("a", 0), 20_000, stops("b")]],
  ["a killed client that holds for a short time", [], [dies("a", 0), 15_000, lost("a", 7, "Expired")]],
  [
    "a killed client that holds under a new arbiter",
    [],
    [dies("a", 0), 15_000, elected, 15_000, lost("a", 7, "Expired")],
  ],
  [
    "a killed client that holds for too long under a new arbiter",
    ["dead"],
    [dies("a", 0), 15_000, elected, 20_000, lost("a", 7, "Expired")],
  ],
  ["a killed client that holds during a fault", [], [dies("a", 0), fault, 20_000, lost("a", 7, "Expired")]],
  [
    "a grant to a dead client",
    ["dead"],
    [dies("a", 0), granted("a", 7), 13_000, lost("a", 7, "NotConfirmed")],
  ],
  [
    "a grant to a dead client that is taken back in time",
    [],
    [dies("a", 0), granted("a", 7), 10_000, lost("a", 7, "NotConfirmed")],
  ],

  ["calls without end", ["calls"], [many, many, many]],
  ["too many calls at once", ["calls"], [{ what: "called", times: MOST_AT_ONCE + 1 }]],
  ["many calls at once", [], [{ what: "called", times: MOST_AT_ONCE }]],
  ["many calls with a pause", [], [many, many, 2_000, many]],
  [
    "many calls within the limit",
    [],
    Array.from({ length: FOR_SECONDS }, () => ({ what: "called", times: MOST_CALLS })),
  ],

  ["a forgotten waiter", ["forgotten"], [{ what: "forgotten", who: "a" }]],
  ["a pod that is deleted while it waits", ["forgotten"], [{ what: "dismissed", who: "a" }]],
  ["a pod that is refused without a reason", ["forgotten"], [{ what: "misread", who: "a" }]],
  ["a Job that is skipped for others", [], [{ what: "skipped", who: "a", others: 1, most: 1 }]],
  ["a Job that is skipped for fewer", ["forgotten"], [{ what: "skipped", who: "a", others: 1, most: 2 }]],
])("%s: %j", (_, expected, told) => {
  expect(rules(...told)).toEqual(expected);
});

const succeeded = (claim: string): Fact => ({ what: "succeeded", claim });
const noted = (token: number, key = "schema"): Fact => ({ what: "noted", key, token });
const proved: Fact = { what: "proved", who: "a", token: 7, key: "schema" };
const unproved: Fact = { what: "unproved", token: 7 };
const unnoted: Fact = { what: "unnoted", key: "schema" };
const does = (who: string, key = "schema"): Fact => ({ what: "runs", who, claim: who, key });
const spared: Fact = { what: "spared", who: "b", key: "schema" };
/** The klease has noted that the work of its first holder is done. */
const first: readonly Fact[] = [granted("a", 7), does("a"), stops("a"), succeeded("a"), noted(7)];

test.each<[string, (Fact | number)[], string[]]>([
  ["work that is noted is begun again", [...first, granted("b", 8), does("b")], ["again"]],
  ["other work is begun", [...first, granted("b", 8), does("b", "seed")], []],
  ["work is begun again that was forgotten", [...first, unnoted, granted("b", 8), does("b")], []],
  ["work is noted that has not succeeded", [granted("a", 7), does("a"), stops("a"), noted(7)], ["proof"]],
  [
    "work is noted that had succeeded under another hold",
    [granted("a", 7), succeeded("a"), granted("a", 8), noted(8)],
    ["proof"],
  ],
  [
    "work that has provably succeeded is noted at the end of its hold",
    [...first.slice(0, -1), proved, noted(7), lost("a", 7, "Terminated")],
    [],
  ],
  ["work that has provably succeeded is not noted", [proved, lost("a", 7, "Terminated")], ["noted"]],
  ["other work is noted for it", [proved, noted(6), lost("a", 7, "Released")], ["proof", "noted"]],
  ["it is not noted, but its hold goes on", [proved], []],
  ["it is not noted, for its object was deleted first", [proved, unproved, lost("a", 7, "Terminated")], []],
  ["it is not noted, for the hold was taken away", [proved, lost("a", 7, "Forced")], []],
  ["work is noted under a token that nobody held", [succeeded("a"), noted(7)], ["proof"]],
  ["somebody is spared for work that is noted", [...first, spared], []],
  ["somebody is spared for work that nobody has noted", [spared], ["spared"]],
  ["somebody is spared for work that was forgotten just now", [...first, unnoted, spared], []],
  [
    "somebody is spared for work that was forgotten long ago",
    [...first, unnoted, 80_000, spared],
    ["spared"],
  ],
])("once: %s", (_, told, broken) => {
  expect(rules(...told)).toEqual(broken);
});

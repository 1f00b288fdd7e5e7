import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { createCallTurns } from "../../../src/kube/call-turns.ts";

const { signal: forEver } = new AbortController();

/** Turns of calls named by their namespace and a number; `begun` has those that have got theirs. */
function stage(most: number) {
  const turns = createCallTurns(most);
  const begun: string[] = [];
  const ends = new Map<string, () => void>();
  return {
    begun,
    async ask(namespace: string, count: number, signal = forEver): Promise<unknown[]> {
      const refused: unknown[] = [];
      for (let index = 0; index < count; index++)
        turns.take(namespace, signal).then(
          (end) => {
            const name = `${namespace}${index}`;
            begun.push(name);
            ends.set(name, end);
          },
          (reason) => refused.push(reason),
        );
      await nextTurn();
      return refused;
    },
    async end(...names: string[]) {
      for (const name of names) ends.get(name)?.();
      await nextTurn();
    },
  };
}

test("calls about one namespace leave as many turns free as they take, and are taken in their order", async () => {
  const { begun, ask, end } = stage(6);
  await ask("a", 5);
  expect(begun).toEqual(["a0", "a1", "a2"]);
  await ask("b", 2);
  expect(begun.slice(3)).toEqual(["b0"]);
  await end("a2");
  expect(begun.slice(4)).toEqual(["b1"]);
  await end("a0", "a1");
  expect(begun.slice(5)).toEqual(["a3", "a4"]);
});

test("a turn that ends twice frees one turn", async () => {
  const { begun, ask, end } = stage(2);
  await ask("a", 3);
  await end("a0", "a0");
  expect(begun).toEqual(["a0", "a1"]);
});

test("namespaces take turns, however many calls one of them has", async () => {
  const { begun, ask, end } = stage(2);
  await ask("a", 5);
  await ask("b", 2);
  for (const name of ["a0", "a1", "b0", "a2", "b1", "a3", "a4"]) {
    expect(begun.at(-1)).toBe(name);
    await end(name);
  }
  expect(begun).toHaveLength(7);
});

test("all turns are given back: when nothing is under way, a namespace gets its share again", async () => {
  const { begun, ask, end } = stage(8);
  for (const namespace of ["a", "b", "c"]) await ask(namespace, 9);
  for (let index = 0; index < begun.length; index++) await end(begun[index] ?? "");
  expect(begun).toHaveLength(27);
  await ask("d", 5);
  expect(begun.slice(27)).toEqual(["d0", "d1", "d2", "d3"]);
});

test("a call that is given up leaves the queue, and takes no turn", async () => {
  const { begun, ask, end } = stage(2);
  const gaveUp = new AbortController();
  await ask("a", 1);
  const refused = await ask("b", 2, gaveUp.signal);
  await ask("c", 1);
  gaveUp.abort("gave up");
  await nextTurn();
  expect(refused).toEqual(["gave up", "gave up"]);
  await end("a0");
  expect(begun).toEqual(["a0", "c0"]);
  expect(await ask("d", 1, AbortSignal.abort("too late"))).toEqual(["too late"]);
});

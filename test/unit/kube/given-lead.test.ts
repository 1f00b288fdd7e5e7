/** A leader that cannot do its work gives the lead to a candidate that can, and to nobody else. */
import { afterEach, expect, test } from "vitest";
import { createLeaderElector } from "../../../src/kube/leader-election.ts";
import { KonductorError } from "../../../src/shared/errors.ts";
import { record } from "../../../src/shared/json.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { recordedClient } from "../controller/recorded-client.ts";
import { turnedClock } from "../gate/turned-clock.ts";

const LONG_MS = 60_000;

let over = new AbortController();
afterEach(() => over.abort());

/** Two candidates of one election, of which `a` leads. */
async function electA() {
  over = new AbortController();
  const clock = turnedClock();
  let version = 0;
  let stored: unknown;
  const { client } = recordedClient(({ what, sent }) => {
    const [verb, known] = [what.split(" ")[0], record(record(stored)["metadata"])["resourceVersion"]];
    if (verb === "get" && !stored) throw new KonductorError("NotFound", "no Lease");
    if (verb === "get") return stored;
    const metadata = record(record(sent)["metadata"]);
    if (metadata["resourceVersion"] !== known) throw new KonductorError("Conflict", "written since");
    stored = { ...record(sent), metadata: { ...metadata, resourceVersion: String(++version) } };
    return stored;
  });
  const unfit = new Set<string>();
  const terms: string[] = [];
  const running = new Set<string>();
  let most = 0;
  /** How long the work takes to end. */
  const windDown = { ms: 0 };
  const stand = (identity: string) =>
    void createLeaderElector({
      ...{ client, clock, identity, namespace: "ns", name: "election" },
      logger: createLogger({ level: "silent" }),
      random: () => 0.5,
      isFit: () => !unfit.has(identity),
      async onStartedLeading(signal) {
        terms.push(identity);
        most = Math.max(most, running.add(identity).size);
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        await clock.sleep(windDown.ms);
        running.delete(identity);
      },
    }).run(over.signal);
  stand("a");
  await clock.turn(500);
  stand("b");
  await clock.turn(5_000);
  expect(terms).toEqual(["a"]);
  return { clock, unfit, terms, windDown, mostAtOnce: () => most };
}

test("a leader that is not fit gives the lead once to a candidate that is, and does not take it back", async () => {
  const { clock, unfit, terms } = await electA();
  unfit.add("a");
  await clock.turn(5_000);
  expect(terms).toEqual(["a", "b"]);
  await clock.turn(LONG_MS);
  expect(terms).toEqual(["a", "b"]);
});

test("what makes all of them unfit ends no term", async () => {
  const { clock, unfit, terms } = await electA();
  for (const identity of ["a", "b"]) unfit.add(identity);
  await clock.turn(LONG_MS);
  expect(terms).toEqual(["a"]);
  unfit.delete("b");
  await clock.turn(5_000);
  expect(terms).toEqual(["a", "b"]);
});

test("a leader that is fit again in time keeps the lead", async () => {
  const { clock, unfit, terms } = await electA();
  for (const identity of ["a", "b"]) unfit.add(identity);
  await clock.turn(LONG_MS);
  unfit.delete("a");
  await clock.turn(5_000);
  unfit.delete("b");
  await clock.turn(LONG_MS);
  expect(terms).toEqual(["a"]);
});

test("the lead is given only when the work has ended", async () => {
  const { clock, unfit, terms, windDown, mostAtOnce } = await electA();
  windDown.ms = 20_000;
  unfit.add("a");
  await clock.turn(19_000);
  expect(terms).toEqual(["a"]);
  await clock.turn(10_000);
  expect(terms).toEqual(["a", "b"]);
  expect(mostAtOnce()).toBe(1);
});

/** Guards of work that is done once. */
import { record } from "../../../src/shared/json.ts";
import type { Guard } from "./guard.ts";
import { replaced } from "./replacement.ts";
import { event, job, until, worker } from "./tale.ts";

type Holds = typeof import("../../../src/lease/hold.ts");
type Once = typeof import("../../../src/lease/once.ts");
type Proof = typeof import("../../../src/lease/proof.ts");

/** A Job of one pod, which waits by itself. */
const ALONE = { annotations: { gate: "init", once: "schema" } };

const reasonOf = (request: object) => record(record(request)["status"])["reason"];

export const ONCE: Record<string, Guard> = {
  "work that is listed as done is not granted": {
    rule: "again",
    tale: [
      worker(1_000, "first", { once: "schema", worksForMs: 8_000 }),
      worker(2_000, "waits", { once: "schema", worksForMs: 2_000 }),
    ],
    off: { modules: [replaced<Once>("src/lease/once.ts", () => ({ isDone: () => false }))] },
  },
  "work is known by its key": {
    rule: "spared",
    tale: [
      worker(1_000, "first", { once: "schema", worksForMs: 2_000 }),
      worker(8_000, "other", { once: "seed", worksForMs: 2_000 }),
    ],
    off: {
      modules: [
        replaced<Once>("src/lease/once.ts", () => ({
          doneWork: ({ done = [] }, key) => (key === undefined ? undefined : done[0]),
        })),
      ],
    },
  },
  "nobody is ended for work that was forgotten since": {
    rule: "spared",
    tale: [
      worker(1_000, "first", { once: "schema", worksForMs: 2_000 }),
      event(5_000, "forbidEnds", { ms: 90_000 }),
      job(6_000, "refused", { ...ALONE, worksForMs: 3_000 }),
      event(12_000, "forgetWork"),
      until(120_000),
    ],
    off: {
      modules: [
        replaced<Once>("src/lease/once.ts", ({ isDone, ALREADY_DONE }) => ({
          isDone: (status, request) => isDone(status, request) || reasonOf(request) === ALREADY_DONE,
        })),
      ],
    },
  },
  "a pod that ends with 0 because it is deleted has not succeeded": {
    rule: "proof",
    tale: [
      job(1_000, "stopped", { ...ALONE, worksForMs: 60_000, exitCodeAtTerm: 0, graceSeconds: 30 }),
      event(10_000, "deletePod"),
      until(20_000),
    ],
    off: {
      modules: [
        replaced<Proof>("src/lease/proof.ts", () => ({
          provesSuccess: ({ phase }) => phase === "Succeeded",
        })),
      ],
    },
  },
  "a hold that proof of success ends is no mere end": {
    rule: "noted",
    tale: [job(1_000, "first", { ...ALONE, worksForMs: 3_000 })],
    off: {
      modules: [
        replaced<Holds>("src/lease/hold.ts", ({ endHold }) => ({
          endHold: (lease, reason, nowMs) => endHold(lease, reason, nowMs),
        })),
      ],
    },
  },
  "only proof of success notes that work is done": {
    rule: "proof",
    tale: [
      job(1_000, "fails", { ...ALONE, worksForMs: 3_000, exitCodes: [1, 1, 1, 1], restartPolicy: "Never" }),
    ],
    off: {
      modules: [
        replaced<Holds>("src/lease/hold.ts", ({ endHold }) => ({
          endHold: (lease, reason, nowMs) => endHold(lease, reason, nowMs, true),
        })),
      ],
    },
  },
};

/** Guards while a call on another object than the klease fails again and again. */
import { LEASES } from "../../../src/kube/resources.ts";
import { defined } from "../../../src/shared/json.ts";
import { calling, isSame } from "./calling.ts";
import type { Guard } from "./guard.ts";
import { replaced } from "./replacement.ts";
import type { Switch } from "./switch.ts";
import { event, pod, worker } from "./tale.ts";

type Errands = typeof import("../../../src/controller/errands.ts");

/** A watch of the leader. */
const OF_LEASES = 2;

/** A pod whose request a quota forbids. */
const REFUSED = { isRefused: true, annotations: { gate: "scheduling" } };

/** Forgets all failed errands whenever a klease is not found or cannot be looked at. */
function forgetful(): Switch {
  /** Changes the identity of all errands when it increases. */
  let times = 0;
  return {
    client: (client) =>
      calling(client, {
        get:
          (call) =>
          async (resource, ...rest) => {
            try {
              return await call(resource, ...rest);
            } catch (error) {
              if (isSame(resource, LEASES)) times++;
              throw error;
            }
          },
      }),
    modules: [
      replaced<Errands>("src/controller/errands.ts", ({ createErrands }) => ({
        createErrands(options) {
          const errands = createErrands(options);
          return {
            ...errands,
            run: ({ uid, ...errand }, work) => errands.run({ ...errand, uid: `${uid} ${times}` }, work),
            isStuck: ({ uid, ...errand }) =>
              errands.isStuck({ ...errand, ...defined({ uid: uid && `${uid} ${times}` }) }),
          };
        },
      })),
    ],
  };
}

/** A pod whose grant is over before it could be confirmed. Its request does not show that, and cannot be deleted. */
const A_REQUEST_STAYS = [
  event(400, "forbidAnswers", { ms: 9_000 }),
  event(450, "forbidDeletions"),
  pod(500, "first", { restartPolicy: "Never" }),
  pod(2_000, "second", { node: 1 }),
  event(5_000, "killGate"),
];

export const ERRANDS: Record<string, Guard> = {
  "nothing waits for an errand that has failed for a while": {
    rule: "idle",
    tale: A_REQUEST_STAYS,
    off: {
      modules: [
        replaced<Errands>("src/controller/errands.ts", ({ createErrands }) => ({
          createErrands: (options) => ({ ...createErrands(options), isStuck: () => false }),
        })),
      ],
    },
  },
  "a refused call does not hold up other steps": {
    rule: "idle",
    tale: A_REQUEST_STAYS,
    off: {
      modules: [
        replaced<Errands>("src/controller/errands.ts", ({ createErrands }) => ({
          createErrands: (options) => ({
            ...createErrands(options),
            run: (_, work) => work().then(() => true),
          }),
        })),
      ],
    },
  },
  "errands rest even if their klease has vanished unseen": {
    rule: "calls",
    tale: [
      event(3_000, "stallWatch", { kind: OF_LEASES, ms: 2_500 }),
      event(3_200, "deleteLease"),
      pod(3_500, "first", REFUSED),
      pod(3_600, "second", REFUSED),
      worker(4_000, "a", { by: "kubectl" }),
    ],
    off: forgetful(),
  },
};

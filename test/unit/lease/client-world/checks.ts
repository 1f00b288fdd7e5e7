/** C5: what an arbiter decides, and what follows from it, comes to an end and never leads back. */
import { isDeepStrictEqual } from "node:util";
import { type FollowUp, followUps } from "../../../../src/controller/follow-ups.ts";
import { decide } from "../../../../src/lease/decide.ts";
import type { Situation } from "../../../../src/lease/decision.ts";
import { grantedStatus } from "../../../../src/lease/grant.ts";
import type { LeaseRequest } from "../../../../src/lease/types.ts";
import { Broken } from "../world/api.ts";

const JUST_NOW = { heldForMs: 0, silentForMs: 0, expiredForMs: 0, endingForMs: 0, idleForMs: 0 };

export function checkSteady(situation: Situation, hasLapsed: (request: LeaseRequest) => boolean): void {
  const most = 4 + 4 * situation.requests.length;
  const seen: unknown[] = [];
  for (let asked: Situation | undefined = situation; asked; asked = after(asked, hasLapsed)) {
    const state = [asked.lease.status, asked.requests];
    if (seen.some((earlier) => isDeepStrictEqual(earlier, state))) throw new Broken("C5: it leads back");
    if (seen.push(state) > most) throw new Broken("C5: it does not end");
  }
}

/** As it is once the next step was taken; undefined where there is none but to wait or to look. */
function after(asked: Situation, hasLapsed: (request: LeaseRequest) => boolean): Situation | undefined {
  const { lease, requests } = asked;
  const decision = decide(asked);
  switch (decision.do) {
    case "wait": {
      const steps = followUps({ ...asked, hasLapsed });
      return steps.length === 0 ? undefined : { ...asked, requests: steps.reduce(follow, requests) };
    }
    case "retire":
      return { ...asked, requests: requests.filter((request) => request !== decision.request) };
    case "write": {
      const { status, trace } = decision;
      const { hold } = status;
      const isNew = hold?.token !== lease.status.hold?.token;
      return {
        ...asked,
        lease: { ...lease, status },
        requests:
          trace && hold
            ? requests.map((other) =>
                other === trace ? { ...other, status: grantedStatus(trace, hold) } : other,
              )
            : requests,
        ...(isNew && { timers: JUST_NOW }),
      };
    }
    default:
      return undefined;
  }
}

function follow(requests: readonly LeaseRequest[], step: FollowUp): readonly LeaseRequest[] {
  if (step.do === "putBack") return requests;
  const others = requests.filter(({ uid }) => uid !== step.request.uid);
  return step.do === "delete" ? others : [...others, { ...step.request, status: step.status }];
}

/** Clients of kleases against a real API server and two replicas of konductor. */
import { afterAll, beforeAll, describe } from "vitest";
import { acquireTests } from "./lease-client/acquire.ts";
import { crowdTests } from "./lease-client/crowd.ts";
import { cutOffTests } from "./lease-client/cut-off.ts";
import { execTests } from "./lease-client/exec.ts";
import { type Fixture, startFixture } from "./lease-client/fixture.ts";
import { killedTests } from "./lease-client/killed.ts";
import { onceTests } from "./lease-client/once.ts";
import { packageTests } from "./lease-client/package.ts";
import { renewAndReleaseTests } from "./lease-client/renew-release.ts";
import { sameNameTests } from "./lease-client/same-name.ts";
import { withoutKonductorTests } from "./lease-client/without-konductor.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await startFixture("lease-client");
});
afterAll(() => fixture?.stop());

// Each suite has kleases of its own, and most of them wait.
describe.concurrent("with konductor", () => {
  acquireTests(() => fixture);
  renewAndReleaseTests(() => fixture);
  sameNameTests(() => fixture);
  execTests(() => fixture);
  onceTests(() => fixture);
  killedTests(() => fixture);
  cutOffTests(() => fixture);
});
packageTests(() => fixture);
withoutKonductorTests(() => fixture);
crowdTests(() => fixture);

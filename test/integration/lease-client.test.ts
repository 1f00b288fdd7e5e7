/** Clients of kleases against a real API server and two replicas of konductor. */
import { afterAll, beforeAll } from "vitest";
import { acquireTests } from "./lease-client/acquire.ts";
import { cutOffTests } from "./lease-client/cut-off.ts";
import { execTests } from "./lease-client/exec.ts";
import { type Fixture, startFixture } from "./lease-client/fixture.ts";
import { killedTests } from "./lease-client/killed.ts";
import { packageTests } from "./lease-client/package.ts";
import { renewAndReleaseTests } from "./lease-client/renew-release.ts";

let fixture: Fixture;
beforeAll(async () => {
  fixture = await startFixture("lease-client");
});
afterAll(() => fixture?.stop());

acquireTests(() => fixture);
renewAndReleaseTests(() => fixture);
execTests(() => fixture);
killedTests(() => fixture);
cutOffTests(() => fixture);
packageTests(() => fixture);

/** Whoever asks the log for a klease, or a token, finds all that happened to a hold. */
import { expect, test } from "vitest";
import { parseLease } from "../../../src/lease/codec.ts";
import { requestName } from "../../../src/lease/naming.ts";
import { createLeaseReporter } from "../../../src/objects/lease-reporter.ts";
import { parseJson, record } from "../../../src/shared/json.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { GATE_CONTAINER, KEEPER_CONTAINER, LEASE_LABEL, PATH } from "../../../src/shared/names.ts";
import { NO_COUNTS } from "../controller/no-counts.ts";
import { storedApi } from "./stored-api.ts";

const TOKEN = 42;
const ME = { kind: "Pod", name: "me", uid: "me" } as const;
const RENEWAL = { lease: "report", token: TOKEN, ttlMs: 600_000 };
const HELD = {
  ...{ phase: "Held", holder: "me", holderRef: ME, fencingToken: TOKEN, renewals: 1, confirmed: true },
  ...{ acquired: "1970-01-01T00:16:40Z", expires: "1970-01-01T00:26:40Z" },
};
const REVOKED = {
  ...HELD,
  conditions: [
    {
      ...{ type: "Revoked", status: "True", reason: "NotStarted" },
      lastTransitionTime: HELD.acquired,
      message: "",
    },
  ],
};
const POD = {
  metadata: {
    ...{ namespace: "a", name: "me", uid: "me", resourceVersion: "1" },
    labels: { [LEASE_LABEL]: "report" },
  },
  spec: {
    initContainers: [{ name: GATE_CONTAINER }, { name: KEEPER_CONTAINER, restartPolicy: "Always" }],
    containers: [{ name: "main" }],
  },
};
const klease = (status: object) => ({
  metadata: { namespace: "a", name: "report", uid: "lease", resourceVersion: "1" },
  ...{ spec: { ttl: "10m" }, status },
});

function loggedReplica() {
  const lines: Record<string, unknown>[] = [];
  const logger = createLogger({ destination: { write: (line) => void lines.push(record(parseJson(line))) } });
  const events = { record: () => undefined };
  const given = { logger, reporter: createLeaseReporter({ events, recorder: NO_COUNTS, logger }) };
  return {
    lines,
    reporter: given.reporter,
    api: (status: object) => storedApi({ lease: klease(status), pod: POD }, given),
  };
}

test("from its grant to its fence, each by the same fields", async () => {
  const { lines, reporter, api } = loggedReplica();
  reporter.report(parseLease(klease({ phase: "Available" })), parseLease(klease(HELD)));
  const working = api(HELD);
  for (let renewals = 0; renewals < 3; renewals++) await working.post(PATH.renew, RENEWAL);
  reporter.report(parseLease(klease(HELD)), parseLease(klease(REVOKED)));
  const refusing = api(REVOKED);
  await refusing.post(PATH.renew, RENEWAL);
  await refusing.post(PATH.acquire, { lease: "report", lostToken: TOKEN });
  await refusing.post(PATH.acquire, { lease: "report", lostToken: TOKEN });
  const about = {
    lease: "a/report",
    holder: "me",
    token: TOKEN,
    request: requestName("report", ME),
    pod: "me",
  };
  expect(lines).toMatchObject([
    { ...about, level: "info", reason: "Granted" },
    { ...about, level: "info", reason: "Revoked" },
    {
      ...{ ...about, level: "info", reason: "NotStarted", msg: "request refused" },
      why: expect.stringContaining("no main container started in time"),
    },
    { ...about, level: "info", reason: "Fenced", msg: "the pod's gate says that its keeper fenced it" },
    { ...about, level: "info", reason: "Fenced", msg: `the hold of me (token ${TOKEN}) ended: Fenced` },
  ]);
});

test("what a refused caller asked for is known even if it is not answered", async () => {
  const { lines, api } = loggedReplica();
  await api(HELD).post(PATH.release, { ...RENEWAL, lease: "other" });
  expect(lines).toMatchObject([{ lease: "a/other", pod: "me", token: TOKEN, reason: "Forbidden" }]);
  expect(JSON.stringify(lines)).not.toContain("Bearer");
});

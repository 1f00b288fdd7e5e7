import fc from "fast-check";
import { expect, test } from "vitest";
import { requestName } from "../../../src/lease/naming.ts";

test("the name is the Lease's and a digest of the claimant, as the protocol says", () => {
  // sha256("nightly/pod/1234"), "nightly/job/1234" and "nightly/client/ci", by coreutils.
  expect(requestName("nightly", { kind: "Pod", uid: "1234" })).toBe("nightly-9863e4c364");
  expect(requestName("nightly", { kind: "Job", uid: "1234" })).toBe("nightly-cc9b07349d");
  expect(requestName("nightly", { holder: "ci" })).toBe("nightly-f215cf15e2");
});

test("a client named like a pod's uid is another claimant", () => {
  expect(requestName("nightly", { holder: "1234" })).not.toBe(
    requestName("nightly", { kind: "Pod", uid: "1234" }),
  );
});

test("every Lease's name makes a request name that the API server accepts", () => {
  const letters = fc.constantFrom(..."abz019-.");
  const leaseName = fc
    .string({ unit: letters, minLength: 1, maxLength: 253 })
    .map((text) => `a${text}z`.slice(0, 253));
  fc.assert(
    fc.property(leaseName, fc.string(), (lease, holder) => {
      const name = requestName(lease, { holder });
      expect(name.length).toBeLessThanOrEqual(253);
      expect(name).toMatch(/-[0-9a-f]{10}$/);
      expect(name.startsWith(lease.slice(0, 242))).toBe(true);
    }),
  );
});

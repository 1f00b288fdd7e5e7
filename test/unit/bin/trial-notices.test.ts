import { expect, test } from "vitest";
import { trialNotices } from "../../../src/bin/serve/trial-notices.ts";

test("a trial says so, and where the install for real use is described; a release says nothing", () => {
  expect(trialNotices("1.2.3-trial")).toEqual([
    expect.stringMatching(/^this is a trial of konductor \(1\.2\.3-trial\).* docs\/install\.md /),
  ]);
  expect(trialNotices("1.2.3")).toEqual([]);
});

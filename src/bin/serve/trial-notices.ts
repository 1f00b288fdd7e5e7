import { TRIAL_SUFFIX } from "../../shared/version.ts";

/** What a konductor of this version tells the author of every labelled workload: that it is a trial, if it is one. */
export function trialNotices(version: string): string[] {
  if (!version.endsWith(TRIAL_SUFFIX)) return [];
  return [
    `this is a trial of konductor (${version}), which runs a public image of Node.js; docs/install.md of konductor is for real use`,
  ];
}

/** All that `koncli doctor` has to say about an install. Pure. */
import { VERSION_FROM_SOURCES } from "../../shared/version.ts";
import {
  checkCaBundle,
  checkCertificate,
  checkCrds,
  checkInjection,
  checkShipped,
  checkTrial,
} from "./check-admission.ts";
import {
  checkArbiter,
  checkClock,
  checkExempt,
  checkNodes,
  checkPlace,
  checkReplicas,
  checkRights,
  checkServer,
  checkVersions,
  konductorVersion,
} from "./check-running.ts";
import type { Finding } from "./finding.ts";
import type { Install } from "./install.ts";

/** In the order in which somebody would look. */
export function diagnose(install: Install): Finding[] {
  const { koncliVersion } = install;
  const version = konductorVersion(install);
  const isOtherVersion =
    koncliVersion !== VERSION_FROM_SOURCES && version !== undefined && version !== koncliVersion;
  return [
    checkServer(install),
    checkPlace(install),
    ...checkCrds(install),
    checkReplicas(install),
    checkVersions(install),
    checkArbiter(install),
    ...checkShipped(install, isOtherVersion),
    checkInjection(install),
    checkCaBundle(install),
    checkCertificate(install),
    checkTrial(install),
    checkRights(install),
    checkExempt(install),
    checkNodes(install),
    checkClock(install),
  ];
}

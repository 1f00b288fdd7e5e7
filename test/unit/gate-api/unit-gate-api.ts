import { createGateApi, type GateApi } from "../../../src/server/gate-api/gate-api.ts";
import type { GateApiOptions } from "../../../src/server/gate-api/options.ts";
import { createLogger } from "../../../src/shared/log.ts";
import { turnedClock } from "../gate/turned-clock.ts";

type Given = Pick<GateApiOptions, "client" | "caches" | "authenticate"> & Partial<GateApiOptions>;

/** The gate API with a test's dependencies: every caller is reviewed, and reports and Events are dropped. */
export function unitGateApi(given: Given): GateApi {
  const options: GateApiOptions = {
    events: { record: () => {} },
    reporter: { report: () => {} },
    verifySignature: () => Promise.reject(new Error("every caller is reviewed")),
    trust: () => ({ ca: "", urls: [] }),
    clock: turnedClock(),
    logger: createLogger({ level: "silent" }),
    systemNamespace: "konductor-system",
    createMissingLeases: true,
    ...given,
  };
  return createGateApi(options, { maxStreams: 1_000 });
}

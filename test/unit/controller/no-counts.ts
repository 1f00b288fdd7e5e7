import type { ArbiterRecorder } from "../../../src/controller/arbiter-recorder.ts";
import type { HoldRecorder } from "../../../src/objects/lease-reporter.ts";

const ignore = () => undefined;

/** For whoever counts nothing. */
export const NO_COUNTS: ArbiterRecorder & HoldRecorder = {
  granted: ignore,
  ended: ignore,
  renewed: ignore,
  waited: ignore,
  handedOver: ignore,
  jobSkipped: ignore,
};

/** Put in by tools/build.ts; not there when the sources run as they are. */
declare const __KONDUCTOR_VERSION__: string | undefined;

/** konductor's version, as package.json has it. */
export const VERSION_TEXT =
  typeof __KONDUCTOR_VERSION__ === "string" ? __KONDUCTOR_VERSION__ : "0.0.0-source";

/** Ends the version of what `make trial` builds. */
export const TRIAL_SUFFIX = "-trial";

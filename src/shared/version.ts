/** Put in by tools/build.ts; not there when the sources run as they are. */
declare const __KONDUCTOR_VERSION__: string | undefined;

/** In place of a version, where the sources run as they are. */
export const VERSION_FROM_SOURCES = "0.0.0-source";

/** konductor's version, as package.json has it. */
export const VERSION_TEXT =
  typeof __KONDUCTOR_VERSION__ === "string" ? __KONDUCTOR_VERSION__ : VERSION_FROM_SOURCES;

/** Ends the version of what `make trial` builds. */
export const TRIAL_SUFFIX = "-trial";

import { BY_LEASE, type Caches } from "../../../src/objects/caches.ts";
import { fedReflector } from "./fed-reflector.ts";

/** What every replica would know of pods where there are none. */
export const noPods: Caches["pods"] = fedReflector({ [BY_LEASE]: () => undefined });

import { BY_LEASE, type Caches } from "../../../src/objects/caches.ts";
import { fedReflector } from "./fed-reflector.ts";

/** A replica's cache of pods in a cluster without pods. */
export const noPods: Caches["pods"] = fedReflector({ [BY_LEASE]: () => undefined });

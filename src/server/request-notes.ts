import type { LogFields } from "../lease/log-fields.ts";

/** What the log's lines about an HTTP request say beside its path. `reason`: why it was refused, in one word; `why`: in a sentence. */
export interface RequestNotes extends LogFields {
  reason?: string;
  why?: string;
}

/** By fastify's request. */
const notes = new WeakMap<object, RequestNotes>();

/** Adds to what is known of `request`. */
export function note(request: object, more: RequestNotes): void {
  notes.set(request, { ...notes.get(request), ...more });
}

export const notesOn = (request: object): RequestNotes => notes.get(request) ?? {};

/** What the page says of itself: whose rights it has, whether it is connected, and what cannot be seen. */
import { SESSION_OVER } from "./api.ts";
import { make, part, setText } from "./dom.ts";
import type { Model } from "./model.ts";
import type { StreamState } from "./stream.ts";

export interface StatusLine {
  /** Shows what the model knows; `shown` rows of `all`. */
  show(model: Model, shown: number, all: number): void;
  /** Shows how the stream stands. */
  connection(state: StreamState | { kind: "no-token" }): void;
}

/** The line in the elements of index.html. */
export function createStatusLine(): StatusLine {
  const where = part("where", HTMLParagraphElement);
  const link = part("link", HTMLParagraphElement);
  const troubles = part("troubles", HTMLUListElement);
  const empty = part("empty", HTMLParagraphElement);
  const count = part("rows-shown", HTMLSpanElement);
  let told = "";

  return {
    show(model, shown, all) {
      const hello = model.hello();
      if (hello) {
        const { namespace, server, user } = hello;
        setText(where, [namespace ?? "all namespaces", user, server].filter(Boolean).join(" · "));
        where.title = `koncli ${hello.version}`;
      }
      const sentences = model.troubles();
      if (sentences.join("\n") !== told) {
        told = sentences.join("\n");
        troubles.replaceChildren(...sentences.map((text) => make("li", { text })));
      }
      setText(count, shown === all ? `${all} Leases` : `${shown} of ${all} Leases`);
      empty.hidden = shown > 0 || !model.isSynced();
      const nothing = `There is no Lease in ${hello?.namespace ?? "any namespace"} yet. The first labelled pod makes one.`;
      setText(empty, all > 0 ? "No Lease matches." : nothing);
    },
    connection(state) {
      link.dataset["kind"] = state.kind;
      setText(link, wordsOf(state));
    },
  };
}

function wordsOf(state: StreamState | { kind: "no-token" }): string {
  switch (state.kind) {
    case "live":
      return "Live";
    case "broken":
      return `Not connected${state.refusal && ` (${state.refusal})`}: what you see may be old. Trying again…`;
    case "over":
    case "no-token":
      return SESSION_OVER;
  }
}

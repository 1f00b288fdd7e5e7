/** Asks before a hold is ended by force: first what will happen, then how. */
import type { ReleasePreview } from "../wire.ts";
import type { Api } from "./api.ts";
import { make, part, setText } from "./dom.ts";

/** The hold that the user looks at. */
export interface ReleaseSubject {
  namespace: string;
  lease: string;
  holder: string;
  token: number;
}

export interface ReleaseDialog {
  /** Opens the dialog. It ends this hold and no later one. */
  ask(subject: ReleaseSubject): void;
}

/** The dialog in the elements of index.html. `onClose` is called when the keyboard has left it. */
export function createReleaseDialog(api: Api, onClose: () => void): ReleaseDialog {
  const dialog = part("release", HTMLDialogElement);
  const heading = part("release-heading", HTMLHeadingElement);
  const text = part("release-text", HTMLDivElement);
  const outcome = part("release-outcome", HTMLParagraphElement);
  const choices = part("release-choices", HTMLDivElement);
  const withProof = part("release-with-proof", HTMLButtonElement);
  const withoutProof = part("release-without-proof", HTMLButtonElement);
  const cancel = part("release-cancel", HTMLButtonElement);
  let subject: ReleaseSubject | undefined;
  let asking = new AbortController();

  function allow(isAllowed: boolean): void {
    for (const button of [withProof, withoutProof]) button.disabled = !isAllowed;
  }

  function say(sentences: readonly string[]): void {
    text.replaceChildren(...sentences.map((sentence) => make("p", { text: sentence })));
  }

  function conclude(sentence: string, kind: "done" | "failed"): void {
    choices.hidden = true;
    outcome.hidden = false;
    outcome.dataset["kind"] = kind;
    setText(outcome, sentence);
    setText(cancel, "Close");
    cancel.focus();
  }

  function show(preview: ReleasePreview, { lease, holder, token }: ReleaseSubject): void {
    if (preview.token !== token) {
      say([`The hold of ${holder} is over. ${preview.holder} holds ${lease} by now.`]);
      choices.hidden = true;
      setText(cancel, "Close");
      return;
    }
    say(preview.sentences);
    choices.hidden = !preview.allowed;
    allow(preview.allowed);
    if (preview.allowed) withProof.focus();
  }

  async function order(now: boolean): Promise<void> {
    if (!subject) return;
    const { namespace, lease, token } = subject;
    // Whoever closes the dialog meanwhile wants the order no longer, and may open it for another hold.
    const { signal } = asking;
    allow(false);
    try {
      const { message } = await api.release({ namespace, lease, token, now }, signal);
      if (!signal.aborted) conclude(message, "done");
    } catch (error) {
      if (!signal.aborted) conclude(messageOf(error), "failed");
    }
  }

  withProof.addEventListener("click", () => void order(false));
  withoutProof.addEventListener("click", () => void order(true));
  cancel.addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    asking.abort();
    onClose();
  });

  return {
    ask(next) {
      subject = next;
      asking = new AbortController();
      const { signal } = asking;
      setText(heading, `End the hold of ${next.holder}?`);
      say(["Asking what this would do…"]);
      outcome.hidden = true;
      choices.hidden = true;
      setText(cancel, "Cancel");
      allow(false);
      dialog.showModal();
      cancel.focus();
      api.preview(next, signal).then(
        (preview) => {
          if (!signal.aborted) show(preview, next);
        },
        (error: unknown) => {
          if (signal.aborted) return;
          say([]);
          conclude(messageOf(error), "failed");
        },
      );
    },
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The page of `koncli dashboard`: puts its parts together. */
import type { PageMessage } from "../wire.ts";
import { createApi } from "./api.ts";
import { createBoard, type Opened } from "./board.ts";
import { createControls } from "./controls.ts";
import { showLegend } from "./legend.ts";
import { createModel } from "./model.ts";
import { orderRows } from "./order.ts";
import { createReleaseDialog } from "./release-dialog.ts";
import { takeToken } from "./session.ts";
import { createStatusLine } from "./status-line.ts";
import { createStoryPanel } from "./story-panel.ts";
import { followStream } from "./stream.ts";

/** The page's own clock: by it alone times are compared, and it never goes back. */
const pageMs = () => performance.timeOrigin + performance.now();
/** Ages are written in seconds. */
const AGES_MS = 1_000;

function start(token: string): void {
  const model = createModel();
  const nowMs = () => model.nowMs(pageMs());
  const api = createApi(token);
  let isDue = false;
  let shownMs = 0;

  function render(): void {
    isDue = false;
    shownMs = pageMs();
    const rows = orderRows(model.rows().values(), controls.choice());
    board.show(rows, nowMs(), controls.choice().filter);
    status.show(model, rows.length, model.rows().size);
    const opened = story.opened();
    if (opened) story.follow(model.rows().get(opened.key));
    story.tick();
  }
  /** Many changes make one frame. */
  function renderSoon(): void {
    if (isDue) return;
    isDue = true;
    requestAnimationFrame(render);
  }

  const status = createStatusLine();
  const controls = createControls(() => board.setSpan(controls.spanMs()));
  const dialog = createReleaseDialog(api, () => story.takeLostFocus());
  const story = createStoryPanel({
    api,
    nowMs,
    onRelease: ({ lease: { namespace, name } }, { holder, token: hold }) =>
      dialog.ask({ namespace, lease: name, holder, token: hold }),
    onClose: closeStory,
  });
  const board = createBoard({ onOpen: openStory, serverMs: (atMs) => model.nowMs(atMs) }, renderSoon);

  function openStory({ key, token: hold }: Opened): void {
    const row = model.rows().get(key);
    if (row) board.select(story.open(row, hold));
  }
  function closeStory(): void {
    story.close();
    board.select(undefined);
    board.focus();
  }

  document.addEventListener("keydown", ({ key, target }) => {
    // Escape belongs to an open dialog first, and to a filter that it empties.
    if (document.querySelector("dialog[open]") || (target instanceof HTMLInputElement && target.value))
      return;
    if (key === "Escape" && story.opened()) closeStory();
  });

  /** The picture moves by itself: smoothly, or once in a while for those who want no motion. */
  function move(): void {
    const isDueForAges = pageMs() - shownMs >= AGES_MS;
    if (isDueForAges) render();
    else board.drift(nowMs());
    const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const stepMs = isStill ? AGES_MS : Math.min(AGES_MS, board.stepMs());
    setTimeout(() => requestAnimationFrame(move), stepMs);
  }

  board.setSpan(controls.spanMs());
  requestAnimationFrame(move);
  void followStream<PageMessage>({
    open: (signal) => api.stream(signal),
    onMessages(messages) {
      model.apply(messages, pageMs());
      renderSoon();
    },
    onState: status.connection,
    signal: new AbortController().signal,
  });
}

showLegend();
const token = takeToken(window);
if (token === undefined) createStatusLine().connection({ kind: "no-token" });
else start(token);

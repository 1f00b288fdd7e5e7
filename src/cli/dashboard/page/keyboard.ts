/** The keyboard's way through the rows: one thing of the whole grid is a tab stop, and arrow keys move it. */

/** What has the keyboard, or would get it. */
export interface Focus {
  key: string;
  /** The hold's token; undefined: the row's name. */
  token: string | undefined;
}

export interface Rows {
  indexOf(key: string): number;
  keyAt(index: number): string | undefined;
  count(): number;
  heightPx(): number;
  /** Draws the rows that can be seen, and the one that has the focus. */
  mount(): void;
}

export interface FocusKeeper {
  /** Before a change of the document: which row has to stay in it. undefined: nothing in the grid has had the keyboard yet. */
  hold(): Focus | undefined;
  /** After a change of the document: marks the tab stop, and gives the keyboard back if its place was lost. */
  restore(): void;
  /** Moves the keyboard here. */
  take(): void;
}

const ITEM = "[data-item]";

/** Follows the focus in `list`, which scrolls in `scroller`. */
export function followFocus(list: HTMLElement, scroller: HTMLElement, rows: Rows): FocusKeeper {
  let focus: Focus | undefined;
  /** Whether the grid had the keyboard before the document was changed: with its element, a browser drops it. */
  let isHere = false;
  /** Where the row of the focus stood last: its successor is there once it is gone. */
  let lastIndex = 0;

  function rowOf(key: string): HTMLElement | undefined {
    return [...list.children].find(
      (row): row is HTMLElement => row instanceof HTMLElement && row.dataset["key"] === key,
    );
  }
  function itemsOf(row: HTMLElement): HTMLElement[] {
    return [...row.querySelectorAll<HTMLElement>(ITEM)];
  }
  function find({ key, token }: Focus): HTMLElement | undefined {
    const row = rowOf(key);
    if (!row) return undefined;
    const [name, ...bars] = itemsOf(row);
    return (token && bars.find((bar) => bar.dataset["token"] === token)) || name;
  }

  function mark(element: HTMLElement | undefined): void {
    for (const old of list.querySelectorAll<HTMLElement>(`${ITEM}[tabindex="0"]`))
      if (old !== element) old.tabIndex = -1;
    if (element && element.tabIndex !== 0) element.tabIndex = 0;
  }

  function goTo(index: number, choose: (row: HTMLElement) => HTMLElement | undefined): void {
    const key = rows.keyAt(Math.max(0, Math.min(rows.count() - 1, index)));
    if (key === undefined) return;
    focus = { key, token: undefined };
    scrollTo(rows.indexOf(key));
    rows.mount();
    const row = rowOf(key);
    if (row) choose(row)?.focus({ preventScroll: true });
  }

  function scrollTo(index: number): void {
    const top = index * rows.heightPx();
    const bottom = top + rows.heightPx();
    if (top < scroller.scrollTop) scroller.scrollTop = top;
    else if (bottom > scroller.scrollTop + scroller.clientHeight)
      scroller.scrollTop = bottom - scroller.clientHeight;
  }

  /** The thing of another row that stands below or above this one. */
  function beside(element: HTMLElement): (row: HTMLElement) => HTMLElement | undefined {
    if (element.dataset["token"] === undefined) return (row) => itemsOf(row)[0];
    const { right } = element.getBoundingClientRect();
    return (row) => {
      const [name, ...bars] = itemsOf(row);
      const far = (bar: HTMLElement) => Math.abs(bar.getBoundingClientRect().right - right);
      return bars.toSorted((a, b) => far(a) - far(b))[0] ?? name;
    };
  }

  function onKey(event: KeyboardEvent): void {
    if (!(event.target instanceof HTMLElement) || event.altKey || event.metaKey) return;
    const element = event.target.closest<HTMLElement>(ITEM);
    const row = element?.closest<HTMLElement>("[data-key]");
    if (!element || !row) return;
    const items = itemsOf(row);
    const at = items.indexOf(element);
    const index = rows.indexOf(row.dataset["key"] ?? "");
    const page = Math.max(1, Math.floor(scroller.clientHeight / rows.heightPx()) - 1);
    const moves: Readonly<Record<string, () => void>> = {
      ArrowRight: () => items[at + 1]?.focus(),
      ArrowLeft: () => items[at - 1]?.focus(),
      Home: () => (event.ctrlKey ? goTo(0, (first) => itemsOf(first)[0]) : items[0]?.focus()),
      End: () => (event.ctrlKey ? goTo(rows.count() - 1, (last) => itemsOf(last)[0]) : items.at(-1)?.focus()),
      ArrowDown: () => goTo(index + 1, beside(element)),
      ArrowUp: () => goTo(index - 1, beside(element)),
      PageDown: () => goTo(index + page, beside(element)),
      PageUp: () => goTo(index - page, beside(element)),
    };
    const move = moves[event.key];
    if (!move) return;
    event.preventDefault();
    move();
  }

  list.addEventListener("keydown", onKey);
  list.addEventListener("focusin", (event) => {
    if (!(event.target instanceof HTMLElement)) return;
    const key = event.target.closest<HTMLElement>("[data-key]")?.dataset["key"];
    if (key === undefined) return;
    focus = { key, token: event.target.dataset["token"] };
    mark(event.target);
  });
  function place(): HTMLElement | undefined {
    const found = focus && find(focus);
    if (found) return found;
    const key = focus && rows.keyAt(Math.min(lastIndex, rows.count() - 1));
    const row = (key !== undefined && rowOf(key)) || list.firstElementChild;
    return row instanceof HTMLElement ? itemsOf(row)[0] : undefined;
  }

  return {
    hold() {
      isHere = list.contains(document.activeElement);
      return focus;
    },
    restore() {
      const index = focus ? rows.indexOf(focus.key) : -1;
      if (index >= 0) lastIndex = index;
      const element = place();
      mark(element);
      if (isHere && document.activeElement === document.body) element?.focus({ preventScroll: true });
    },
    take: () => place()?.focus(),
  };
}

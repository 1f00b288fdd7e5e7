/** What the looks of bars mean. */
import { make, part } from "./dom.ts";
import { ENDINGS } from "./words.ts";

/** Writes the legend into the element of index.html. */
export function showLegend(): void {
  const swatch = (look: string, letter: string) =>
    make("span", { class: "swatch", text: letter, attributes: { "data-look": look, "aria-hidden": "true" } });
  const item = (mark: HTMLElement, name: string, meaning: string) =>
    make("li", { attributes: { title: meaning } }, mark, make("span", { text: name }));
  part("legend", HTMLUListElement).replaceChildren(
    item(swatch("held", ""), "held", "the present hold"),
    item(swatch("silent", ""), "silent", "the part of the present hold in which its holder was not heard"),
    item(
      swatch("until", ""),
      "ttl is over",
      "when the present hold is over if its holder is not heard again",
    ),
    item(swatch("forecast", "1"), "probable turn", "when the first waiters' turns will probably come"),
    ...Object.entries(ENDINGS).map(([name, { letter, look, meaning }]) =>
      item(swatch(look, letter), name, meaning),
    ),
  );
}

/** What the user chooses: filter, span, order. A reload keeps it. */
import { record, text } from "../../../shared/json.ts";
import { SPANS } from "./axis.ts";
import { make, part } from "./dom.ts";
import { type Choice, SORTS, type Sort } from "./order.ts";

export interface Controls {
  choice(): Choice;
  spanMs(): number;
}

const KEY = "konductor-choice";

/** The controls in the elements of index.html, as they were before a reload. `onChange` is called for each change. */
export function createControls(onChange: () => void): Controls {
  const filter = part("filter", HTMLInputElement);
  const sort = part("sort", HTMLSelectElement);
  const onlyWaiting = part("only-waiting", HTMLInputElement);
  const spans = part("spans", HTMLFieldSetElement);
  const saved = record(JSON.parse(sessionStorage.getItem(KEY) ?? "{}"));
  filter.value = text(saved["filter"]) ?? "";
  sort.value = sortOf(text(saved["sort"]) ?? "");
  onlyWaiting.checked = saved["onlyWaiting"] === true;
  const inputs = SPANS.map(({ name, ms }) => {
    const input = make("input", { attributes: { type: "radio", name: "span", value: String(ms) } });
    input.checked = ms === (saved["spanMs"] ?? SPANS[2].ms);
    spans.append(make("label", {}, input, make("span", { text: name })));
    return input;
  });

  const choice = () => ({
    filter: filter.value,
    sort: sortOf(sort.value),
    onlyWaiting: onlyWaiting.checked,
  });
  const spanMs = () => Number(inputs.find(({ checked }) => checked)?.value ?? SPANS[2].ms);
  function changed(): void {
    sessionStorage.setItem(KEY, JSON.stringify({ ...choice(), spanMs: spanMs() }));
    onChange();
  }
  for (const element of [filter, sort, onlyWaiting, spans]) element.addEventListener("input", changed);
  document.addEventListener("keydown", (event) => {
    const isTyping = event.target instanceof HTMLInputElement || document.querySelector("dialog[open]");
    if (event.key !== "/" || isTyping) return;
    event.preventDefault();
    filter.focus();
  });
  return { choice, spanMs };
}

function sortOf(value: string): Sort {
  return SORTS.find((sort) => sort === value) ?? "wait";
}

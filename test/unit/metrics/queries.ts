/** What a PromQL expression of deploy/monitoring reads. Enough for these, and no parser: the real one is promtool's. */

export interface Selector {
  metric: string;
  /** By label: the values that it must have one of; undefined where a matcher only leaves some out. */
  matchers: Readonly<Record<string, readonly string[] | undefined>>;
  /** The function that it is an argument of. */
  within: string | undefined;
}

export interface Query {
  selectors: readonly Selector[];
  /** Labels that it groups or matches by. */
  labels: readonly string[];
}

const GROUPING = /\b(?:by|on)\s*\(([^)]*)\)/g;
const SELECTOR = /(?:\b(\w+)\()?\b([a-z_:]+\w*)(?:\{([^}]*)\})?(?!\w|\s*\()/g;
const MATCHER = /(\w+)\s*(=~|=|!=|!~)\s*"([^"]*)"/g;
const OPERATORS = new Set(["and", "or", "unless"]);

export function readQuery(expr: string): Query {
  const labels = [...expr.matchAll(GROUPING)].flatMap(([, names = ""]) => names.split(/\s*,\s*/));
  const rest = expr.replaceAll(GROUPING, "").replaceAll(/\[[^\]]*\]/g, "");
  const selectors = [...rest.matchAll(SELECTOR)]
    .map(([, within, metric = "", matchers = ""]) => ({ metric, within, matchers: readMatchers(matchers) }))
    .filter(({ metric }) => !OPERATORS.has(metric));
  return { selectors, labels };
}

function readMatchers(text: string): Selector["matchers"] {
  return Object.fromEntries(
    [...text.matchAll(MATCHER)].map(([, label, operator, value = ""]) => [
      label,
      operator?.startsWith("!") ? undefined : value.split("|"),
    ]),
  );
}

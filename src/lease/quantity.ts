const FACTOR: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
  E: 1e18,
  Ki: 2 ** 10,
  Mi: 2 ** 20,
  Gi: 2 ** 30,
  Ti: 2 ** 40,
  Pi: 2 ** 50,
  Ei: 2 ** 60,
};

/**
 * The number that a Kubernetes quantity stands for ("100m" is 0.1, "1Gi" is 2^30), good for telling whether two are equal;
 * undefined for what is none. Source: k8s.io/apimachinery/pkg/api/resource.
 */
export function parseQuantity(text: string | undefined): number | undefined {
  const [, digits, exponent, suffix = ""] =
    /^([+-]?(?:\d+(?:\.\d*)?|\.\d+))(?:[eE]([+-]?\d+)|([numkMGTPE]|[KMGTPE]i))?$/.exec(text ?? "") ?? [];
  const factor = exponent === undefined ? FACTOR[suffix] : 10 ** Number(exponent);
  return digits === undefined || factor === undefined ? undefined : Number(digits) * factor;
}

/** `value` as the `known` quantity that equals it, else in thousandths of a cpu, or in bytes, rounded up. */
export function formatQuantity(resource: string, value: number, known: readonly string[]): string {
  const same = known.find((text) => parseQuantity(text) === value);
  if (same !== undefined) return same;
  // The rounding error of a division must not be rounded up.
  return resource === "cpu" ? `${Math.ceil(value * 1_000 - 1e-6)}m` : `${Math.ceil(value - 1e-6)}`;
}

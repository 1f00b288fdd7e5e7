/** Times of day as Kubernetes writes them. */

/** RFC 3339 with milliseconds. */
export function isoTime(ms: number): string {
  return new Date(ms).toISOString();
}

/** metav1.Time has whole seconds. */
export function secondsTime(ms: number): string {
  return isoTime(ms).replace(/\.\d+Z$/, "Z");
}

/** metav1.MicroTime wants six digits. */
export function microTime(ms: number): string {
  return isoTime(ms).replace("Z", "000Z");
}

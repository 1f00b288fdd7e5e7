/** What a user with few rights can learn: what may not be read is noted, and does not stop the rest. */
import { hasCode } from "../shared/errors.ts";

/** `unread`: why it could not be read, as half a sentence such as "you may not get pods in shop". */
export type Known<T> = { is: "known"; value: T } | { is: "missing" } | { is: "unread"; why: string };

/** The value, where it is known. */
export function ifKnown<T>(known: Known<T>): T | undefined {
  return known.is === "known" ? known.value : undefined;
}

/** What `read` resolves with; noted if there is no such object, or if the user may not `action` it. Rejects with any other error. */
export async function tryRead<T>(
  action: string,
  namespace: string | undefined,
  read: () => Promise<T>,
): Promise<Known<T>> {
  try {
    return { is: "known", value: await read() };
  } catch (error) {
    if (hasCode(error, "NotFound")) return { is: "missing" };
    if (!hasCode(error, "Forbidden")) throw error;
    return forbidden(action, namespace);
  }
}

/** What the user may not `action`. */
export function forbidden(action: string, namespace: string | undefined): Known<never> {
  return { is: "unread", why: `you may not ${action}${namespace === undefined ? "" : ` in ${namespace}`}` };
}

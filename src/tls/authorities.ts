/**
 * The authorities of one install over time. After two thirds of an authority's life the next one is made and published: every replica serves
 * it to gates, keepers and the API server as one that they trust. It signs when that has lasted for a sixth of a life, so that all of them
 * know it by then, a keeper with a ttl of weeks included. The one before it stays trusted until its life is over. Each has the life that it was
 * made with: nothing is cut off the ten years that konductor once gave it, since pods of that time cannot keep what they learn over a reboot.
 */
import { X509Certificate } from "node:crypto";
import { certificatesIn } from "../shared/pem.ts";
import { createAuthority, type KeyPair, spanOf } from "./authority.ts";

export interface Authorities {
  /** Signs. */
  current: KeyPair;
  /** Is trusted since `publishedMs`, and will sign. */
  next?: KeyPair & { publishedMs: number };
  /** Trusted besides, PEM: authorities that have signed before. */
  former: readonly string[];
}

/** What everybody has to trust, PEM: the one that signs first. */
export function bundleOf({ current, next, former }: Authorities): string {
  return [current.certPem, ...(next ? [next.certPem] : []), ...former]
    .map((pem) => `${pem.trim()}\n`)
    .join("");
}

/** An answer of the gate API, which tells the bundle, may have 64 KiB, and a variable of a gate's environment 128 KiB. */
export const BUNDLE_BYTES_MAX = 48 * 1024;

/** The same certificate may be written with other line ends. Throws where it is damaged. */
export const idOf = (certPem: string) => new X509Certificate(certPem).fingerprint256;

export function trusts(authorities: Authorities, certPem: string): boolean {
  return certificatesIn(bundleOf(authorities)).some((known) => idOf(known) === idOf(certPem));
}

const pairOf = ({ certPem, keyPem }: KeyPair): KeyPair => ({ certPem, keyPem });

/** Of a life, after which the next authority is published. */
const PUBLISH_AFTER = 2 / 3;
/**
 * Of a life, for which it is published before it signs. A serving certificate lives for no longer: a replica reads the Secret at least ten
 * times in that life, so each knows the authority by then.
 */
export const PUBLISHED_FOR = 1 / 6;

/** The authorities as they are to be at `nowMs`, new ones with a life of `caMs`; the same object where nothing is due. */
export async function advance(authorities: Authorities, nowMs: number, caMs: number): Promise<Authorities> {
  const { current, next, former } = authorities;
  const isOver = (certPem: string) => nowMs >= spanOf(certPem).endMs;
  const trusted = former.filter((certPem) => !isOver(certPem));
  const usable = next && !isOver(next.certPem) ? next : undefined;
  if (isOver(current.certPem))
    return { current: usable ? pairOf(usable) : await createAuthority(nowMs, caMs), former: trusted };
  if (usable && nowMs - usable.publishedMs >= caMs * PUBLISHED_FOR)
    return { current: pairOf(usable), former: [current.certPem, ...trusted] };
  if (usable || nowMs < publishMs(current)) {
    if (trusted.length === former.length && usable === next) return authorities;
    return { current, ...(usable && { next: usable }), former: trusted };
  }
  const made = await createAuthority(nowMs, caMs);
  return { current, next: { ...made, publishedMs: nowMs }, former: trusted };
}

function publishMs({ certPem }: KeyPair): number {
  const { madeMs, endMs } = spanOf(certPem);
  return madeMs + (endMs - madeMs) * PUBLISH_AFTER;
}

/**
 * What is to be kept where `stored` was read and this replica has served `known`. A Secret that was lost or replaced costs nobody their trust:
 * what was served goes on signing, and a stranger in its place becomes the next authority, which everybody learns to trust first.
 */
export function reconcile(
  stored: Authorities | undefined,
  known: Authorities | undefined,
  nowMs: number,
): Authorities | undefined {
  if (!stored || !known || trusts(stored, known.current.certPem)) return stored ?? known;
  const { current, next, former } = known;
  const others = [next?.certPem, stored.next?.certPem, ...former, ...stored.former].filter(
    (certPem) => certPem !== undefined,
  );
  const byId = new Map(others.map((certPem) => [idOf(certPem), certPem]));
  byId.delete(idOf(stored.current.certPem));
  return { current, next: { ...stored.current, publishedMs: nowMs }, former: [...byId.values()] };
}

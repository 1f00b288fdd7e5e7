/** What a page may ask for beside the stream: read here once, and bounded. */
import { isLeaseName } from "../../lease/naming.ts";
import { keyOf } from "../../lease/types.ts";
import type { Clock } from "../../shared/clock.ts";
import { KonductorError } from "../../shared/errors.ts";
import { flag, integer, parseJson, record, text } from "../../shared/json.ts";
import { isNamespace } from "../flags.ts";
import { orderRelease, previewRelease } from "./forced-release.ts";
import type { HoldReader, LeaseName } from "./hold-reader.ts";
import type { ReleasePreview, ReleaseResult } from "./wire.ts";

/** One hold of a klease. */
export type HoldName = LeaseName & { token: number };

/** Each throws or rejects with a KonductorError whose status and message the page gets. `signal` ends it: the page is gone. */
export interface Calls {
  /** The hold of which the page wants the story. */
  hold(query: URLSearchParams): HoldName;
  preview(query: URLSearchParams, signal: AbortSignal): Promise<ReleasePreview>;
  /** `body`: a JSON document. */
  release(body: string, signal: AbortSignal): Promise<ReleaseResult>;
}

export interface CallsOptions {
  reader: Omit<HoldReader, "signal">;
  /** Only this namespace is shown; undefined: all. */
  namespace: string | undefined;
  /** The machine's. */
  clock: Clock;
}

/** A person orders no more. */
const MOST_RELEASES = 10;
const WITHIN_MS = 60_000;

export function createCalls({ reader, namespace: shown, clock }: CallsOptions): Calls {
  let releases: number[] = [];

  function named(namespace: string | null | undefined, lease: string | null | undefined): LeaseName {
    if (!namespace || !isNamespace(namespace) || !lease || !isLeaseName(lease))
      throw new KonductorError("BadRequest", "the namespace and the name of a klease are needed");
    if (shown !== undefined && namespace !== shown)
      throw new KonductorError(
        "Forbidden",
        `this dashboard shows namespace ${shown} only: start another one for ${keyOf({ namespace, name: lease })}`,
      );
    return { namespace, lease };
  }

  function countRelease(): void {
    const nowMs = clock.monotonicMs();
    releases = releases.filter((atMs) => nowMs - atMs < WITHIN_MS);
    if (releases.length >= MOST_RELEASES)
      throw new KonductorError(
        "TooManyRequests",
        `${MOST_RELEASES} kleases were released within a minute: wait for another`,
      );
    releases.push(nowMs);
  }

  return {
    hold: (query) => ({
      ...named(query.get("namespace"), query.get("lease")),
      token: tokenOf(Number(query.get("token") ?? "none")),
    }),
    async preview(query, signal) {
      const name = named(query.get("namespace"), query.get("lease"));
      return await previewRelease({ ...reader, signal }, name);
    },
    async release(body, signal) {
      const order = record(parseJson(body));
      const name = named(text(order["namespace"]), text(order["lease"]));
      const token = tokenOf(order["token"]);
      const now = flag(order["now"]);
      if (now === undefined)
        throw new KonductorError(
          "BadRequest",
          "now is needed: true does not wait for proof that the holder has ended",
        );
      countRelease();
      return await orderRelease({ ...reader, signal }, { ...name, token, now }, clock);
    },
  };
}

function tokenOf(value: unknown): number {
  const token = integer(value);
  if (token !== undefined && token > 0) return token;
  throw new KonductorError("BadRequest", "the token of the hold is needed");
}

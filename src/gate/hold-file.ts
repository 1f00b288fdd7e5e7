import { readFileSync } from "node:fs";
import { join } from "node:path";
import { countOf, parseObject, wordOf, wordsOf } from "./json.ts";
import { replaceFile } from "./replace-file.ts";

/** What gate and keeper remember of the pod's hold, in a volume that outlives containers but not the pod. */
export interface StoredHold {
  lease: string;
  /** The fencing token; 0 in a mark by a keeper that could not learn it. */
  token: number;
  /** The ttl of the grant, which the keeper sends with each renewal. */
  ttlMs: number;
  /** When the hold ends unless it is renewed, by the boot clock in milliseconds. */
  deadline: number;
  /** "lost" tells the next gate that main was stopped because the hold could not be kept. */
  state: "held" | "lost";
  /** Trust bundle and addresses of the server's last answer. */
  ca: string | undefined;
  urls: string[];
}

/** `hold.json` in the state directory. */
export interface HoldFile {
  /** The stored hold of `lease`; undefined when there is none, or none that can be read. */
  read(lease: string): StoredHold | undefined;
  /** Replaces the file in one step: a reader sees the old or the new hold, never half of one. Throws if it cannot. */
  write(hold: StoredHold): void;
}

export function holdFile(stateDir: string): HoldFile {
  const path = join(stateDir, "hold.json");
  return {
    read(lease) {
      try {
        const hold = parseHold(readFileSync(path, "utf8"));
        return hold?.lease === lease ? hold : undefined;
      } catch {
        return undefined;
      }
    },
    write: (hold) => replaceFile(path, JSON.stringify(hold), 0o600),
  };
}

function parseHold(text: string): StoredHold | undefined {
  const object = parseObject(text);
  const lease = wordOf(object["lease"]);
  const token = countOf(object["token"]);
  const ttlMs = countOf(object["ttlMs"]);
  const deadline = countOf(object["deadline"]);
  const state = object["state"];
  if (lease === undefined || token === undefined || ttlMs === undefined || deadline === undefined)
    return undefined;
  if (state !== "held" && state !== "lost") return undefined;
  return { lease, token, ttlMs, deadline, state, ca: wordOf(object["ca"]), urls: wordsOf(object["urls"]) };
}

/** Pages as the tests of the docs see them: fenced blocks with what is said above them, headings, links. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

export const ROOT = join(import.meta.dirname, "../..");

/** The pages whose commands and manifests are run, by path below {@link ROOT}. */
export const RUN_PAGES: readonly string[] = [
  "README.md",
  ...readdirSync(join(ROOT, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];

/** What an HTML comment just above a block says about running it. */
export type Note =
  /** It is shown for another place than the runner's cluster. */
  | { readonly kind: "not run"; readonly reason: string }
  /** It installs konductor itself. */
  | { readonly kind: "without konductor" }
  /** A manifest that is not applied: it is this file, below the folder in which commands run. */
  | { readonly kind: "saved as"; readonly path: string };

export interface Block {
  /** `sh`, `yaml` and so on; empty if the fence names none. */
  readonly language: string;
  /** Without the indentation of the fence. */
  readonly lines: readonly string[];
  /** Where the fence begins, counted from 1. */
  readonly line: number;
  readonly note: Note | undefined;
}

export interface Page {
  readonly path: string;
  readonly blocks: readonly Block[];
  /** What a link to a part of the page may name after `#`. */
  readonly anchors: ReadonlySet<string>;
  /** Targets of links, outside of code. */
  readonly links: readonly { readonly target: string; readonly line: number }[];
}

const FENCE = /^( *)```(\S*)$/;
const NOTE = /^ *<!-- (not run|without konductor|saved as)(?:: (.+?))? -->$/;

/** Reads the page at `path` below {@link ROOT}. */
export function readPage(path: string): Page {
  return parsePage(path, readFileSync(join(ROOT, path), "utf8"));
}

/** Throws for a fence that does not end. */
export function parsePage(path: string, source: string): Page {
  const lines = source.split("\n");
  const blocks: Block[] = [];
  const prose: { text: string; line: number }[] = [];
  let note: Note | undefined;
  for (let at = 0; at < lines.length; at++) {
    const text = lines[at] ?? "";
    const [, indent, language = ""] = FENCE.exec(text) ?? [];
    if (indent === undefined) {
      if (text.trim() !== "") note = noteIn(text);
      prose.push({ text, line: at + 1 });
      continue;
    }
    const end = lines.indexOf(`${indent}\`\`\``, at + 1);
    if (end < 0) throw new Error(`${path}:${at + 1}: the fence does not end`);
    const inside = lines.slice(at + 1, end).map((each) => each.slice(indent.length));
    blocks.push({ language, lines: inside, line: at + 1, note });
    note = undefined;
    at = end;
  }
  return { path, blocks, anchors: anchorsIn(prose.map(({ text }) => text)), links: prose.flatMap(linksIn) };
}

function noteIn(text: string): Note | undefined {
  const [, kind, rest = ""] = NOTE.exec(text) ?? [];
  if (kind === "not run") return { kind, reason: rest };
  if (kind === "saved as") return { kind, path: rest };
  return kind === "without konductor" ? { kind } : undefined;
}

/** As GitHub makes them: lower case, without punctuation, hyphens for blanks, a number for the second of a kind. */
function anchorsIn(lines: readonly string[]): Set<string> {
  const anchors = new Set<string>();
  for (const line of lines) {
    const [, heading] = /^#{1,6} (.*)$/.exec(line) ?? [];
    if (heading === undefined) continue;
    const words = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").toLowerCase();
    const anchor = words.replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(" ", "-");
    let [name, count] = [anchor, 0];
    while (anchors.has(name)) name = `${anchor}-${++count}`;
    anchors.add(name);
  }
  return anchors;
}

function linksIn({ text, line }: { text: string; line: number }): { target: string; line: number }[] {
  const withoutCode = text.replaceAll(/`[^`]*`/g, "`");
  return [...withoutCode.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => ({ target, line }));
}

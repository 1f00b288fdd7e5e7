/**
 * What the runner does with a page, block by block:
 * - `sh`: its lines are one script, which has to end with 0. A `text` block that follows at once is what the script writes to stdout.
 * - `console`: each line that begins with `$ ` is a command, and the lines up to the next one are what it writes to stdout.
 * - `yaml` with a kind: it is applied, and must come to work.
 * A command whose comment says that Ctrl-C ends it is interrupted after a while.
 */
import type { Block, Page } from "./markdown.ts";

export type Step =
  | {
      readonly kind: "command";
      readonly line: number;
      readonly script: string;
      /** What it writes; undefined if the page does not show that. */
      readonly expected: string | undefined;
      readonly withoutKonductor: boolean;
    }
  | { readonly kind: "manifest"; readonly line: number; readonly yaml: string }
  | { readonly kind: "file"; readonly line: number; readonly path: string; readonly content: string }
  | { readonly kind: "not run"; readonly line: number; readonly reason: string };

const LANGUAGES = ["sh", "console", "yaml", "text", "js"];
const HAS_KIND = /^kind: \S/m;

/** The steps of a page in its order. Throws for a block of which nobody can tell what to do with it. */
export function stepsOf({ path, blocks }: Page): Step[] {
  return blocks.flatMap((block, index) => {
    const { language, note, line } = block;
    const wrong = (what: string) => new Error(`${path}:${line}: ${what}`);
    if (!LANGUAGES.includes(language))
      throw wrong(`the fence says "${language}"; it must say one of ${LANGUAGES.join(", ")}`);
    if (note?.kind === "not run") {
      if (note.reason === "") throw wrong("the note does not say why the block is not run");
      return [{ kind: "not run", line, reason: note.reason } as const];
    }
    if (language === "yaml") return [manifestStep(block, wrong)];
    const withoutKonductor = note?.kind === "without konductor";
    const next = blocks[index + 1];
    if (language === "sh")
      return [
        {
          ...({ kind: "command", line, withoutKonductor } as const),
          script: block.lines.map(interrupted).join("\n"),
          expected: next && isOutputOf(block, next) ? next.lines.join("\n") : undefined,
        },
      ];
    return language === "console" ? consoleSteps(block, withoutKonductor) : [];
  });
}

function manifestStep({ lines, line, note }: Block, wrong: (what: string) => Error): Step {
  const yaml = lines.join("\n");
  if (note?.kind === "saved as") return { kind: "file", line, path: note.path, content: `${yaml}\n` };
  if (!HAS_KIND.test(yaml))
    throw wrong("the YAML is no manifest: a note above it must say why it is not run");
  return { kind: "manifest", line, yaml };
}

/** Whether nothing but an empty line is between the two. */
function isOutputOf({ lines, line }: Block, next: Block): boolean {
  return next.language === "text" && next.line === line + lines.length + 3;
}

function consoleSteps({ lines, line }: Block, withoutKonductor: boolean): Step[] {
  const steps: { line: number; command: string[]; output: string[] }[] = [];
  lines.forEach((text, index) => {
    const last = steps.at(-1);
    if (text.startsWith("$ ")) steps.push({ line: line + 1 + index, command: [text.slice(2)], output: [] });
    else if (last && last.output.length === 0 && last.command.at(-1)?.endsWith("\\")) last.command.push(text);
    else last?.output.push(text);
  });
  return steps.map(({ line, command, output }) => ({
    ...({ kind: "command", line, withoutKonductor } as const),
    script: command.map(interrupted).join("\n"),
    expected: output.join("\n"),
  }));
}

const INTERRUPTED_AFTER_SECONDS = 5;

/** A command that a reader ends by Ctrl-C ends by the same signal. */
function interrupted(line: string): string {
  if (!/ # .*Ctrl-C/.test(line)) return line;
  return `timeout --signal=INT ${INTERRUPTED_AFTER_SECONDS} ${line.replace(/ # .*/, "")} || true`;
}

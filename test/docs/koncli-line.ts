/** What koncli would say about a command line, without doing what it asks for. */
import type { Command } from "commander";
import { createProgram } from "../../src/cli/program.ts";
import { quietIo } from "../../tools/docs/koncli-page.ts";

/** Undefined if koncli understands `line`. */
export function complaintAbout(line: string): string | undefined {
  const said: string[] = [];
  const program = createProgram(
    quietIo(() => undefined),
    () => undefined,
  );
  const words = wordsOf(line).slice(1);
  try {
    disarm(program);
    program.parse(words, { from: "user" });
  } catch (error) {
    said.push(error instanceof Error ? error.message : String(error));
  }
  return said.length > 0 ? `${line}: ${said.join(" ")}` : undefined;
}

/** Commands check their arguments, and do nothing. */
function disarm(command: Command): void {
  if (command.commands.length === 0) command.action(() => undefined);
  for (const each of command.commands) disarm(each);
}

/** The words of a shell's line up to what ends the command, without quotes. A word in capitals stands for any name. */
function wordsOf(line: string): string[] {
  const command = line.replace(/(\s+#|\s*[;>|)&]).*$/, "");
  const words = [...command.matchAll(/"([^"]*)"|'([^']*)'|(\S+)/g)].map(([whole, a, b]) => a ?? b ?? whole);
  return words.map((word) => (/^[A-Z]+$/.test(word) ? word.toLowerCase() : word));
}

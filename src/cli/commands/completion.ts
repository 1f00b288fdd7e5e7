import { Argument, type Command } from "commander";
import type { CliIo } from "../cli-context.ts";

const SCRIPTS = {
  bash: `_koncli() {
  local IFS=$'\\n'
  COMPREPLY=($(koncli __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _koncli koncli
`,
  zsh: `#compdef koncli
_koncli() {
  local -a candidates
  candidates=("\${(@f)$(koncli __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -a candidates
}
if [ "$funcstack[1]" = _koncli ]; then _koncli; else compdef _koncli koncli; fi
`,
  fish: `function __koncli_complete
  set -l words (commandline --tokenize --cut-at-cursor --current-process) (commandline --current-token)
  koncli __complete $words[2..] 2>/dev/null
end
complete --command koncli --no-files --arguments '(__koncli_complete)'
`,
} as const;

type Shell = keyof typeof SCRIPTS;

/** `koncli completion SHELL` prints what makes the shell complete commands, flags, and names in the cluster. */
export function registerCompletion(program: Command, { out }: Pick<CliIo, "out">): void {
  program
    .command("completion")
    .description("print a script that makes a shell complete koncli's commands, flags and kleases")
    .addArgument(new Argument("<shell>").choices(Object.keys(SCRIPTS)))
    .addHelpText(
      "after",
      `
Examples:
  source <(koncli completion bash)
  koncli completion zsh > "\${fpath[1]}/_koncli"
  koncli completion fish > ~/.config/fish/completions/koncli.fish

kubectl koncli is completed where kubectl_complete-koncli is on the PATH: another name of this program.`,
    )
    .action((shell: Shell) => out(SCRIPTS[shell]));
}

/**
 * The signals that koncli passes on to the command that it runs: all that would end or stop koncli and leave the command running.
 *
 * Limits: SIGKILL and SIGSTOP reach no listener. SIGSEGV and its like mean that koncli itself is broken. Node knows no real-time signals.
 * SIGTTIN and SIGTTOU would come again and again to a program that listens.
 */

/** A command that gets one of these was told to stop: that it ends with 0 then does not show that it has done its work. */
export const STOPPING: readonly NodeJS.Signals[] = [
  ...(["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGABRT"] as const),
  // Timers and limits of whoever started koncli, as `perl -e 'alarm 60; exec @ARGV'` and `ulimit -t` set them.
  ...(["SIGALRM", "SIGVTALRM", "SIGPROF", "SIGXCPU"] as const),
  ...(["SIGIO", "SIGPWR", "SIGSTKFLT"] as const),
];

const PASSED_ON: readonly NodeJS.Signals[] = [
  ...STOPPING,
  ...(["SIGUSR1", "SIGUSR2", "SIGTSTP", "SIGCONT", "SIGWINCH"] as const),
];

/** Gives those signals to `listener`, so that they neither end nor stop this process, until the returned function is called. */
export function onPassedSignal(listener: (signal: NodeJS.Signals) => void): () => void {
  for (const name of PASSED_ON) process.on(name, listener);
  return () => {
    for (const name of PASSED_ON) process.off(name, listener);
  };
}

import { type DestinationStream, type Logger as PinoLogger, pino } from "pino";

/** A structured logger; `child({...})` binds fields. Tokens and bodies are never logged. */
export type Logger = PinoLogger;

export interface LogOptions {
  level?: string;
  destination?: DestinationStream;
}

/** JSON lines with ISO time and a textual level, as log collectors expect them. */
export function createLogger({ level = "info", destination }: LogOptions = {}): Logger {
  const options = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  };
  return destination ? pino(options, destination) : pino(options);
}

import { styleText } from "node:util";

export type Tone = "plain" | "dim" | "yellow" | "green" | "cyan" | "red";

/** One thing that happened. */
export interface Line {
  /** The exercise to which the event belongs. */
  exercise: string;
  /** The name of the pod or the Job. */
  subject: string;
  text: string;
  tone?: Tone;
}

export type Tell = (line: Line) => void;

export interface TimelineOptions {
  write(text: string): unknown;
  colours: boolean;
  nowMs(): number;
}

/** Wide enough for `report-by-hand-1-x7k2p`. */
const SUBJECT_WIDTH = 22;
const EXERCISE_WIDTH = 7;

/** Prints each line at once, with the current time. */
export function createTimeline({ write, colours, nowMs }: TimelineOptions): Tell {
  return ({ exercise, subject, text, tone = "plain" }) => {
    const styled = colours && tone !== "plain" ? styleText(tone, text, { validateStream: false }) : text;
    const columns = [
      formatTime(nowMs()),
      exercise.padEnd(EXERCISE_WIDTH),
      subject.padEnd(SUBJECT_WIDTH),
      styled,
    ];
    write(`${columns.join("  ")}\n`);
  };
}

/** Local time with tenths of a second: `22:30:13.6`. */
export function formatTime(ms: number): string {
  const at = new Date(ms);
  const two = (value: number) => String(value).padStart(2, "0");
  const tenths = Math.floor(at.getMilliseconds() / 100);
  return `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}.${tenths}`;
}

export function formatSeconds(ms: number): string {
  return `${(ms / 1_000).toFixed(1)} s`;
}

/** Renders the output of a terminal as a picture. */
import type { Tone } from "./timeline.ts";

const FONT_PX = 13;
const CHARACTER_PX = 7.8;
const LINE_PX = 18;
const MARGIN_PX = 14;
const TAB_WIDTH = 8;

const COLOURS: Readonly<Record<Tone, string>> = {
  plain: "#d6deeb",
  dim: "#7f8c98",
  yellow: "#e5c07b",
  green: "#98c379",
  cyan: "#56b6c2",
  red: "#e06c75",
};
const BACKGROUND = "#1b2230";

/** The SGR codes that a timeline uses (ECMA-48, 8.3.117). */
const TONE_OF: Readonly<Record<string, Tone>> = {
  2: "dim",
  31: "red",
  32: "green",
  33: "yellow",
  36: "cyan",
};
const ESCAPE = String.fromCharCode(0x1b);

interface Part {
  text: string;
  /** The SGR code before the text; undefined: none. */
  code?: string | undefined;
}

/** A terminal's text with its colours as an SVG, which needs only a monospaced font. */
export function toSvg(text: string, title: string): string {
  const lines = text.trimEnd().replaceAll("\t", " ".repeat(TAB_WIDTH)).split("\n");
  const widest = Math.max(...lines.map((line) => plainLength(line)));
  const width = Math.ceil(widest * CHARACTER_PX + 2 * MARGIN_PX);
  const height = lines.length * LINE_PX + 2 * MARGIN_PX;
  let tone: Tone = "plain";
  const rows = lines.map((line, index) => {
    const spans: string[] = [];
    for (const { code, text: part } of partsOf(line)) {
      if (code !== undefined) tone = TONE_OF[code] ?? "plain";
      if (part !== "") spans.push(`<tspan fill="${COLOURS[tone]}">${escapeXml(part)}</tspan>`);
    }
    const y = MARGIN_PX + (index + 1) * LINE_PX - (LINE_PX - FONT_PX) / 2;
    return `<text x="${MARGIN_PX}" y="${y}" xml:space="preserve">${spans.join("")}</text>`;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img">
<title>${escapeXml(title)}</title>
<rect width="100%" height="100%" rx="6" fill="${BACKGROUND}"/>
<g font-family="ui-monospace, Menlo, Consolas, monospace" font-size="${FONT_PX}">
${rows.join("\n")}
</g>
</svg>
`;
}

function partsOf(line: string): Part[] {
  const [first = "", ...others] = line.split(ESCAPE);
  const coded = others.map((other): Part => {
    const [, code, rest = ""] = /^\[([\d;]*)m(.*)$/s.exec(other) ?? [];
    return { code, text: rest };
  });
  return [{ text: first }, ...coded];
}

function plainLength(line: string): number {
  return partsOf(line).reduce((length, { text }) => length + text.length, 0);
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

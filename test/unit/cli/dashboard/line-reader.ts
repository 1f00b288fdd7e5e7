/** Reads what the dashboard answers without end. */
import { once } from "node:events";
import { type IncomingMessage, request, type Server } from "node:http";

/** The answer of a server, as far as its head. */
export async function openLines(server: Server): Promise<IncomingMessage> {
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  const sent = request({ host: "127.0.0.1", port }).end();
  sent.on("error", () => undefined);
  const answer: unknown[] = await once(sent, "response");
  return answer[0] as IncomingMessage;
}

/** Reads its lines; what it returns resolves with the messages of the next one, at each call. */
export function reading(page: IncomingMessage) {
  const lines: unknown[][] = [];
  let wake = Promise.withResolvers<void>();
  let rest = "";
  page.setEncoding("utf8");
  page.on("error", () => undefined);
  page.on("data", (text: string) => {
    const parts = (rest + text).split("\n");
    rest = parts.pop() ?? "";
    lines.push(...parts.map((each) => JSON.parse(each)));
    wake.resolve();
  });
  return async function next(): Promise<unknown[]> {
    while (lines.length === 0) {
      await wake.promise;
      wake = Promise.withResolvers();
    }
    return lines.shift() ?? [];
  };
}

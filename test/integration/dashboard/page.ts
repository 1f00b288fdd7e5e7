/** A dashboard in this process, and what its page is told. */
import { expect } from "vitest";
import {
  type HoldStory,
  type LeaseRow,
  PATHS,
  type PageMessage,
  type StoryMessage,
} from "../../../src/cli/dashboard/wire.ts";
import { waitFor } from "../../cluster/wait.ts";
import { koncli, type Outcome } from "../koncli.ts";

export interface Dashboard {
  /** Without the token. */
  origin: string;
  token: string;
  /** GET with the token. */
  get(path: string, query?: Record<string, string>): Promise<{ status: number; body: unknown }>;
  /** POST of a JSON document with the token. */
  post(path: string, body: object): Promise<{ status: number; body: unknown }>;
  /** Opens the stream. */
  open(): Promise<Page>;
  /** Opens the story of a hold. */
  story(namespace: string, lease: string, token: number): Promise<Told>;
  /** Interrupts it, and resolves with what came of it. */
  end(): Promise<Outcome>;
}

/** What one stream has told. */
export interface Stream<M> {
  messages: M[];
  /** Waits until the messages are as `holds` says. */
  sees(what: string, holds: () => boolean): Promise<void>;
  close(): void;
}

export interface Page extends Stream<PageMessage> {
  /** The last row of the klease. */
  row(name: string): LeaseRow | undefined;
}

export interface Told extends Stream<StoryMessage> {
  /** Waits for a story of which `holds` is true; by default for any. */
  tells(what: string, holds?: (story: HoldStory) => boolean): Promise<HoldStory>;
}

/** Starts `koncli dashboard` with these further arguments; without a browser. */
export async function startDashboard(kubeconfig: string, ...args: string[]): Promise<Dashboard> {
  const interrupt = new AbortController();
  let out = "";
  let outcome: Outcome | undefined;
  const ended = koncli(["--kubeconfig", kubeconfig, "dashboard", ...args, "--no-open"], {
    signal: interrupt.signal,
    out: (text) => {
      out += text;
    },
  }).then((each) => {
    outcome = each;
    return each;
  });
  await waitFor({
    what: "the dashboard's address",
    withinMs: 20_000,
    holds: async () => out.includes("\n"),
    abort() {
      if (outcome) throw new Error(`the dashboard has ended with ${outcome.code}: ${outcome.err}`);
    },
  });
  expect(out).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/#[\w-]{43}\n$/);
  const { origin, hash } = new URL(out.trim());
  const token = hash.slice(1);
  const authorization = `Bearer ${token}`;
  const read = async (answer: Response) => ({
    status: answer.status,
    body: (await answer.json()) as unknown,
  });
  return {
    origin,
    token,
    get: async (path, query = {}) =>
      read(await fetch(`${origin}${path}?${new URLSearchParams(query)}`, { headers: { authorization } })),
    post: async (path, body) =>
      read(
        await fetch(`${origin}${path}`, {
          method: "POST",
          headers: { authorization, "content-type": "application/json" },
          body: JSON.stringify(body),
        }),
      ),
    open: () => openPage(`${origin}${PATHS.stream}`, authorization),
    story: (namespace, lease, hold) =>
      openStory(
        `${origin}${PATHS.story}?${new URLSearchParams({ namespace, lease, token: String(hold) })}`,
        authorization,
      ),
    async end() {
      interrupt.abort();
      return await ended;
    },
  };
}

async function openPage(url: string, authorization: string): Promise<Page> {
  const stream = await openStream<PageMessage>(url, authorization);
  const row = (name: string) =>
    stream.messages
      .flatMap((each) => (each.type === "lease" && each.lease.name === name ? [each.lease] : []))
      .at(-1);
  return { ...stream, row };
}

async function openStory(url: string, authorization: string): Promise<Told> {
  const stream = await openStream<StoryMessage>(url, authorization);
  return {
    ...stream,
    async tells(what, holds = () => true) {
      let told: HoldStory | undefined;
      await stream.sees(what, () => {
        const last = stream.messages.at(-1);
        told = last?.type === "story" && holds(last.story) ? last.story : undefined;
        return told !== undefined;
      });
      if (!told) throw new Error(`it was not told: ${what}`);
      return told;
    },
  };
}

async function openStream<M>(url: string, authorization: string): Promise<Stream<M>> {
  const closing = new AbortController();
  const { body, status } = await fetch(url, { headers: { authorization }, signal: closing.signal });
  expect(status).toBe(200);
  const messages: M[] = [];
  const reading = (async () => {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of body ?? []) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) messages.push(...(JSON.parse(line) as M[]));
    }
  })();
  reading.catch(() => undefined);
  return {
    messages,
    sees: (what, holds) => waitFor({ what, withinMs: 20_000, everyMs: 20, holds: async () => holds() }),
    close: () => closing.abort(),
  };
}

/**
 * The part of the kubelet's HTTPS interface that `kubectl logs` uses. A CA of its own signs the server's certificate: an API
 * server verifies that only if told to. Callers must present a client certificate that the cluster's CA signed, as the API server does.
 */
import { createServer, type Server } from "node:https";
import type { AddressInfo } from "node:net";
import { newAuthority } from "../certificates.ts";
import { type LogFile, readLog } from "./log-file.ts";

export interface LogServerOptions {
  /** The address to listen on. */
  readonly host: string;
  /** The CA of the client certificates that may read logs. */
  readonly clientCaPem: string;
  /** The log of a container, or of its previous run; undefined if there is none. */
  find(namespace: string, pod: string, container: string, previous: boolean): LogFile | undefined;
}

export interface LogServer {
  readonly port: number;
  close(): void;
}

/** Resolves once the server listens, on a free port. */
export async function startLogServer(options: LogServerOptions): Promise<LogServer> {
  const authority = await newAuthority("konductor-process-node");
  const own = await authority.issue({ commonName: "process-node", hosts: [options.host] });
  const server = createServer({
    key: own.keyPem,
    cert: own.certificatePem,
    ca: options.clientCaPem,
    requestCert: true,
    rejectUnauthorized: true,
  });
  answerLogs(server, options);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, options.host, resolve);
  });
  const address: AddressInfo | string | null = server.address();
  return {
    port: typeof address === "object" && address ? address.port : 0,
    close() {
      server.close();
      server.closeAllConnections();
    },
  };
}

function answerLogs(server: Server, { find }: LogServerOptions): void {
  server.on("request", async (request, response) => {
    const url = new URL(request.url ?? "/", "https://node");
    const [, endpoint, namespace = "", pod = "", container = ""] = url.pathname
      .split("/")
      .map(decodeURIComponent);
    const query = url.searchParams;
    const log =
      endpoint === "containerLogs"
        ? find(namespace, pod, container, query.get("previous") === "true")
        : undefined;
    if (!log) {
      response.writeHead(404).end(`no log of container ${container} in pod ${namespace}/${pod}\n`);
      return;
    }
    const aborted = new AbortController();
    response.on("close", () => aborted.abort());
    response.writeHead(200, { "content-type": "text/plain" });
    response.flushHeaders();
    const options = {
      follow: query.get("follow") === "true",
      timestamps: query.get("timestamps") === "true",
      tailLines: numberOf(query.get("tailLines")),
      sinceMs: sinceMs(query),
    };
    try {
      for await (const text of readLog(log, options, aborted.signal)) response.write(text);
    } catch {
      // The pod was removed meanwhile, and its log with it: the answer ends with what was sent.
    }
    response.end();
  });
}

function numberOf(text: string | null): number | undefined {
  return text === null || text === "" ? undefined : Number(text);
}

function sinceMs(query: URLSearchParams): number | undefined {
  const seconds = numberOf(query.get("sinceSeconds"));
  if (seconds !== undefined) return Date.now() - seconds * 1000;
  const time = query.get("sinceTime");
  return time ? Date.parse(time) : undefined;
}

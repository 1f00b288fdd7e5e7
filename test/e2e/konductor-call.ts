/** Requests to konductor's own HTTPS server, as any pod in the cluster could send them. */
import { Agent, request } from "node:https";
import { MUTATING_WEBHOOK_CONFIGURATIONS } from "../../src/kube/resources.ts";
import { list, record, text } from "../../src/shared/json.ts";
import { SERVICE_NAME, SYSTEM_NAMESPACE, WEBHOOK_CONFIGURATION } from "../../src/shared/names.ts";
import type { Environment } from "./environment.ts";

export interface Call {
  path: string;
  /** Bearer token. */
  token?: string;
  /** Sent unchanged, as JSON. */
  body: string;
}

export interface Answer {
  status: number;
  reason: string | undefined;
  message: string | undefined;
}

/** Resolves with the message of an error's answer. */
export async function callKonductor(
  { client, konductor }: Environment,
  { path, token, body }: Call,
): Promise<Answer> {
  const configuration = record(
    await client.get(MUTATING_WEBHOOK_CONFIGURATIONS, { name: WEBHOOK_CONFIGURATION }),
  );
  const [webhook] = list(configuration["webhooks"]).map(record);
  const ca = Buffer.from(text(record(webhook?.["clientConfig"])["caBundle"]) ?? "", "base64");
  const url = new URL(path, await konductor.url());
  const agent = new Agent({ keepAlive: true });
  const answered = new Promise<Answer>((resolve, reject) => {
    const call = request(
      url,
      {
        method: "POST",
        ca,
        servername: `${SERVICE_NAME}.${SYSTEM_NAMESPACE}.svc`,
        // "Connection: close" would make the server cut a long body short.
        agent,
        timeout: 10_000,
        headers: {
          "content-type": "application/json",
          "content-length": Buffer.byteLength(body),
          ...(token && { authorization: `Bearer ${token}` }),
        },
      },
      (response) => {
        let received = "";
        const answer = () => {
          const { reason, message } = record(received.startsWith("{") ? JSON.parse(received) : {});
          resolve({ status: response.statusCode ?? 0, reason: text(reason), message: text(message) });
        };
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          received += chunk;
        });
        response.on("end", answer).on("error", reject);
      },
    );
    call.on("timeout", () => call.destroy(new Error(`${url} did not answer`)));
    call.on("error", reject);
    call.end(body);
  });
  return answered.finally(() => agent.destroy());
}

import { request } from "node:https";
import type { Pair } from "./certificates.ts";

/** The few calls that starting a cluster takes, as cluster-admin. */
export interface Api {
  /** Rejects unless the API server answers with 200. */
  get(path: string): Promise<string>;
}

const TIMEOUT_MS = 5_000;

export function clusterApi(url: string, caPem: string, admin: Pair): Api {
  return {
    get: (path) => getText(new URL(path, url), { ca: caPem, cert: admin.certificatePem, key: admin.keyPem }),
  };
}

/** For health endpoints: does not verify the server's certificate. */
export async function answersOk(url: string): Promise<boolean> {
  await getText(new URL(url), { rejectUnauthorized: false });
  return true;
}

interface TlsOptions {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly rejectUnauthorized?: boolean;
}

function getText(url: URL, tls: TlsOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request(url, { ...tls, agent: false, timeout: TIMEOUT_MS }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("error", reject);
      response.on("end", () => {
        if (response.statusCode === 200) resolve(body);
        else reject(new Error(`${url} answered ${response.statusCode}: ${body.slice(0, 300)}`));
      });
    });
    call.on("timeout", () => call.destroy(new Error(`${url} did not answer within ${TIMEOUT_MS} ms`)));
    call.on("error", reject);
    call.end();
  });
}

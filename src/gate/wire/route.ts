import type { Contact } from "./answers.ts";
import { isCertificate } from "./certificate.ts";

/** One way to reach konductor. */
export interface Address {
  /** e.g. `https://10.96.0.7:443` */
  url: string;
  /** The name that the server's certificate must carry, whatever the address. */
  serverName: string;
  /** PEM bundle that must have signed it. */
  ca: string;
}

/**
 * The addresses of konductor, in the order in which to try them: those of its last answer, then the ClusterIP and the DNS
 * name from the environment. The last answer is newer than the environment, which is as old as the pod.
 */
export interface Route {
  /** The address to try now: the one that answered last, or the next one after {@link failed}. */
  current(): Address;
  /** `address` failed: the next try goes to the following one. No effect unless it is still the current one. */
  failed(address: Address): void;
  /** `address` is the one to try from now on. */
  answered(address: Address): void;
  /** Takes over what an answer, or the stored hold, says. What is no certificate or no https URL is ignored. */
  learn(contact: Contact): void;
  /** What has been learnt, to be stored. */
  learnt(): Contact;
}

export function createRoute({ url, host, ca }: { url: string; host: string; ca: string }): Route {
  const port = new URL(url).port;
  const known = [url, `https://${host}${port ? `:${port}` : ""}`];
  let contact: Contact = { ca: undefined, urls: [] };
  let urls = known;
  let index = 0;
  const currentUrl = (): string => urls[index] ?? url;
  return {
    current: () => ({ url: currentUrl(), serverName: host, ca: contact.ca ?? ca }),
    answered(address) {
      index = Math.max(0, urls.indexOf(address.url));
    },
    failed(address) {
      if (address.url === currentUrl()) index = (index + 1) % urls.length;
    },
    learn(news) {
      contact = {
        ca: news.ca !== undefined && isCertificate(news.ca) ? news.ca : contact.ca,
        urls: news.urls.length > 0 ? news.urls.filter(isHttps) : contact.urls,
      };
      const next = [...new Set([...contact.urls, ...known])];
      if (next.join() === urls.join()) return;
      urls = next;
      index = 0;
    },
    learnt: () => contact,
  };
}

function isHttps(value: string): boolean {
  return URL.parse(value)?.protocol === "https:";
}

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
  /** Takes over what an answer says, and trusts nobody else from then on. What is no certificate or no https URL is ignored. */
  learn(contact: Contact): void;
  /** The same for what was stored of earlier answers. It may be outdated: until an answer comes, the environment is trusted as well. */
  recall(contact: Contact): void;
  /** What has been learnt, to be stored. */
  learnt(): Contact;
}

/** `keep` stores what answers say. */
export function createRoute(
  { url, host, ca }: { url: string; host: string; ca: string },
  keep: (contact: Contact) => void = () => {},
): Route {
  const port = new URL(url).port;
  const known = [url, `https://${host}${port ? `:${port}` : ""}`];
  let contact: Contact = { ca: undefined, urls: [] };
  let trusted = ca;
  let urls = known;
  let index = 0;
  const currentUrl = (): string => urls[index] ?? url;
  /** Returns the bundle, if there is one. */
  const take = (news: Contact): string | undefined => {
    const bundle = news.ca !== undefined && isCertificate(news.ca) ? news.ca : undefined;
    contact = {
      ca: bundle ?? contact.ca,
      urls: news.urls.length > 0 ? news.urls.filter(isHttps) : contact.urls,
    };
    const next = [...new Set([...contact.urls, ...known])];
    if (next.join() === urls.join()) return bundle;
    urls = next;
    index = 0;
    return bundle;
  };
  return {
    current: () => ({ url: currentUrl(), serverName: host, ca: trusted }),
    answered(address) {
      index = Math.max(0, urls.indexOf(address.url));
    },
    failed(address) {
      if (address.url === currentUrl()) index = (index + 1) % urls.length;
    },
    learn(news) {
      trusted = take(news) ?? trusted;
      keep(contact);
    },
    recall(news) {
      const bundle = take(news)?.trim() ?? "";
      if (!trusted.includes(bundle)) trusted = `${trusted.trim()}\n${bundle}\n`;
    },
    learnt: () => contact,
  };
}

export function isHttps(value: string): boolean {
  return URL.parse(value)?.protocol === "https:";
}

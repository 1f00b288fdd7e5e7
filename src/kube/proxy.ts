import { BlockList, isIP } from "node:net";

type Env = Readonly<Record<string, string | undefined>>;

/**
 * The proxy through which the environment wants `url` to be reached, by the rules of Go's golang.org/x/net/http/httpproxy, as kubectl does;
 * undefined: none. HTTPS_PROXY or HTTP_PROXY, unless NO_PROXY names the host: by a CIDR, an IP address, a domain with its subdomains
 * (".domain": only those), or "*". After an address or a domain a port limits the entry to that port. Loopback never goes through a proxy.
 */
export function proxyFromEnvironment(url: string, env: Env): string | undefined {
  const { protocol, hostname, port } = new URL(url);
  const host = hostname.replace(/^\[|\]$/g, "").toLowerCase();
  const read = (name: string) => env[name] || env[name.toLowerCase()] || undefined;
  const proxy = read(protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY");
  if (proxy === undefined || isLoopback(host)) return undefined;
  const target = { host, port: port || (protocol === "https:" ? "443" : "80") };
  const exceptions = (read("NO_PROXY") ?? "").split(",").map((entry) => entry.trim().toLowerCase());
  if (exceptions.some((entry) => names(entry, target))) return undefined;
  return /^[a-z0-9]+:\/\//i.test(proxy) ? proxy : `http://${proxy}`;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

function names(entry: string, { host, port }: { host: string; port: string }): boolean {
  if (entry === "" || entry === "*") return entry === "*";
  const cidr = /^(.*)\/(\d+)$/.exec(entry);
  if (cidr) return isWithin(host, cidr[1] ?? "", Number(cidr[2]));
  const [, bracketed, plain = "", wanted] = /^(?:\[(.*)\]|([^:]*|.*:.*:.*?))(?::(\d+))?$/.exec(entry) ?? [];
  if (wanted !== undefined && wanted !== port) return false;
  const name = (bracketed ?? plain).replace(/^\*(?=\.)/, "");
  if (isIP(name) || isIP(host)) return name === host;
  return name.startsWith(".") ? host.endsWith(name) : host === name || host.endsWith(`.${name}`);
}

function isWithin(host: string, network: string, prefix: number): boolean {
  const family = isIP(host);
  if (family === 0 || family !== isIP(network) || prefix > (family === 4 ? 32 : 128)) return false;
  const type = family === 4 ? "ipv4" : "ipv6";
  const block = new BlockList();
  block.addSubnet(network, prefix, type);
  return block.check(host, type);
}

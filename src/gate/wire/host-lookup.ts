/**
 * Finds a host's addresses by DNS without getaddrinfo. Node runs getaddrinfo in a thread, and a process does not end before its threads
 * have. For a pod that is cut off the DNS servers are silent: a keeper that has to fence would live on while they are asked (glibc: 5 s for
 * each of several tries), and main with it.
 *
 * It reads /etc/hosts, and resolv.conf's nameservers, search list and ndots (resolv.conf(5)). Limit: it ignores nsswitch.conf and
 * resolv.conf's other options.
 */
import { readFileSync } from "node:fs";
import type { LookupFunction } from "node:net";

export interface LookupFiles {
  hosts: string;
  resolvConf: string;
}

const FILES: LookupFiles = { hosts: "/etc/hosts", resolvConf: "/etc/resolv.conf" };
/** Limit of one question to one server; the caller has a limit of its own for all of them. */
const ANSWER_WITHIN_MS = 2_000;

/** `servers` replace those of resolv.conf, and may name a port. */
export function hostLookup(files = FILES, servers?: readonly string[]): LookupFunction {
  return (host, options, callback) => {
    find(host, files, servers).then(
      (addresses) => {
        const all = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
        const [first] = all;
        if (options.all) callback(null, all);
        else callback(null, first?.address ?? "", first?.family);
      },
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error)), []),
    );
  };
}

async function find(
  host: string,
  files: LookupFiles,
  servers: readonly string[] | undefined,
): Promise<string[]> {
  const known = inHosts(read(files.hosts), host);
  if (known.length > 0) return known;
  // Loaded where it is needed: most pods only ever use the address.
  const { Resolver } = await import("node:dns/promises");
  const resolver = new Resolver({ timeout: ANSWER_WITHIN_MS, tries: 1 });
  if (servers) resolver.setServers(servers);
  let failure: unknown;
  for (const name of candidates(read(files.resolvConf), host)) {
    const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    const found = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
    if (found.length > 0) return found;
    failure = answers.find(({ status }) => status === "rejected");
  }
  throw new Error(`no address is known of ${host}`, { cause: failure });
}

function inHosts(hosts: string, host: string): string[] {
  return hosts.split("\n").flatMap((line) => {
    const [address, ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    return address && names.includes(host) ? address : [];
  });
}

/** The names to ask for, one after the other. */
export function candidates(resolvConf: string, host: string): string[] {
  if (host.endsWith(".")) return [host];
  const words = (keyword: string) =>
    resolvConf
      .split("\n")
      .map((line) => line.trim().split(/\s+/))
      .filter(([first]) => first === keyword)
      .map(([, ...rest]) => rest);
  // The last search line counts; options add up.
  const searched = (words("search").at(-1) ?? []).map((domain) => `${host}.${domain}`);
  const ndots = Number(
    words("options")
      .flat()
      .findLast((option) => option.startsWith("ndots:"))
      ?.slice("ndots:".length) ?? 1,
  );
  const dots = host.split(".").length - 1;
  return dots >= ndots ? [host, ...searched] : [...searched, host];
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** The session's token, which koncli puts behind the # of its link: no server, log or proxy ever sees that part. */

const KEY = "konductor-token";

/** The parts of a window that are needed. */
export interface SessionWindow {
  readonly location: { readonly hash: string; readonly pathname: string };
  readonly history: { replaceState(data: null, unused: "", url: string): void };
  readonly sessionStorage: {
    getItem(key: string): string | null;
    setItem(key: string, value: string): void;
  };
}

/**
 * Takes the token out of the address, so that nobody copies it along with a link, and keeps it for reloads of this tab. undefined: the page was
 * opened without one.
 */
export function takeToken({ location, history, sessionStorage }: SessionWindow): string | undefined {
  const token = location.hash.replace(/^#(token=)?/, "");
  if (token === "") return sessionStorage.getItem(KEY) ?? undefined;
  history.replaceState(null, "", location.pathname);
  sessionStorage.setItem(KEY, token);
  return token;
}

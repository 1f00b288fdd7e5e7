const LONGEST = 100;

/** The path of a URL that somebody sent: without the query, which may hold anything, and no longer than a line can take. */
export function loggedPath(url: string): string {
  const [path = ""] = url.split("?", 1);
  return path.length > LONGEST ? `${path.slice(0, LONGEST)}…` : path;
}

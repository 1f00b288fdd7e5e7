const LONGEST = 100;

/** Of a URL as somebody sent it: no query, which may hold anything, and no more than a line can take. */
export function loggedPath(url: string): string {
  const [path = ""] = url.split("?", 1);
  return path.length > LONGEST ? `${path.slice(0, LONGEST)}…` : path;
}

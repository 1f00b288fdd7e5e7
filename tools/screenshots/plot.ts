/** The story that the pictures show: who holds what, in turns. All times are in seconds. */

/** A hold by koncli or a Node program. */
export interface Turn {
  holder: string;
  /** How long it holds. */
  seconds: number;
  /** How long the Lease is free before. */
  pause?: number;
  /** How it ends; by default its holder releases. */
  end?: "forced" | "silence";
}

export interface Line {
  namespace: string;
  lease: string;
  /** As whose kubeconfig. */
  user: string;
  ttl: string;
  /** "Job": each turn is a Job whose pod holds. */
  by: "client" | "Job";
  /** What came before, one after the other. */
  past: readonly Turn[];
  /** Who holds in the pictures; undefined: nobody. */
  present?: string;
  /** The present holder is not heard again. */
  isSilent?: boolean;
  /** Who waits in the pictures. */
  waiters?: readonly string[];
}

const turns = (name: (index: number) => string, seconds: readonly number[], pause = 1): Turn[] =>
  seconds.map((each, index) => ({ holder: name(index), seconds: each, pause }));
const ci = (first: number) => (index: number) => `ci-${first + index}`;

/** Of about this length, so that the last turns of all lines end at about the same time. */
export const PLOT: readonly Line[] = [
  {
    ...{ namespace: "shop", lease: "nightly-report", user: "cron", ttl: "30s", by: "Job" },
    past: turns((index) => `nightly-report-${29403116 + index}`, [26, 18, 31, 22, 27, 20]),
    present: "nightly-report-29403122",
    waiters: ["nightly-report-29403123", "nightly-report-29403124"],
  },
  {
    ...{ namespace: "shop", lease: "db-migrate", user: "deployer", ttl: "60s", by: "client" },
    past: turns((index) => `release-4.18.${index}`, [24, 14, 38, 11, 27], 9),
    present: "release-4.18.5",
    waiters: ["release-4.18.6"],
  },
  {
    ...{ namespace: "platform", lease: "terraform-prod", user: "gitlab", ttl: "60s", by: "client" },
    past: [
      ...turns(ci(1841), [31, 24]),
      { holder: "ci-1843", seconds: 52, pause: 1, end: "forced" },
      ...turns(ci(1844), [19, 26], 2),
    ],
    present: "ci-1846",
    waiters: ["ci-1847", "ci-1848", "ci-1849", "ci-1850", "ci-1851"],
  },
  {
    ...{ namespace: "billing", lease: "close-books", user: "ledger", ttl: "60s", by: "client" },
    past: turns((index) => `ledger-eu-${index + 1}`, [40, 36, 44, 33, 12], 2),
    present: "ledger-us-1",
    waiters: ["ledger-us-2", "ledger-us-3"],
  },
  {
    ...{ namespace: "billing", lease: "invoice-export", user: "exporter", ttl: "40s", by: "client" },
    past: [
      ...turns((index) => `export-${index + 11}`, [28, 34], 6),
      { holder: "export-13", seconds: 20, pause: 3, end: "silence" },
      { holder: "export-14", seconds: 9, pause: 5 },
    ],
    present: "export-15",
    isSilent: true,
    waiters: ["export-16"],
  },
  {
    ...{ namespace: "platform", lease: "backup", user: "cron", ttl: "30s", by: "Job" },
    past: turns((index) => `backup-${29403118 + index}`, [52, 61, 38], 4),
    present: "backup-29403121",
  },
  {
    ...{ namespace: "shop", lease: "cache-warmup", user: "shop", ttl: "20s", by: "client" },
    past: turns((index) => `warmup-${index % 3}`, [5, 6, 5, 7, 5, 5, 6, 8, 5, 6], 11),
  },
  {
    ...{ namespace: "platform", lease: "index-rebuild", user: "search", ttl: "60s", by: "client" },
    past: [],
    present: "search-indexer-0",
  },
  {
    ...{ namespace: "shop", lease: "media-transcode", user: "media", ttl: "20s", by: "client" },
    past: turns((index) => `transcode-${index % 2 === 0 ? "a" : "b"}`, [21, 13, 34, 9, 28, 17], 5),
  },
];

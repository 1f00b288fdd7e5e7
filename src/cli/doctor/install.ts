/** What `koncli doctor` looks at. */
import type { NodeView } from "../../objects/node-view.ts";
import type { Known } from "../known.ts";

export type ApiObject = Record<string, unknown>;

/** How a LeaseRequest fared that was tried (dryRun), and so went by every webhook and policy without being stored. */
export type Trial = { is: "accepted" } | { is: "refused"; message: string } | { is: "unread"; why: string };

export interface Right {
  verb: string;
  resource: string;
  /** The ClusterRole of konductor that gives it. */
  role: "konductor-view" | "konductor-user" | "konductor-admin";
  isAllowed: boolean;
}

/** A time of day by two clocks, as of one moment. */
export interface TwoClocks {
  serverMs: number;
  machineMs: number;
  /** The API server tells whole seconds, so that its time is known to this much only. */
  unsureMs: number;
}

export interface Install {
  /** Where konductor runs. */
  namespace: string;
  /** How that is known. */
  foundBy: "flag" | "webhook" | "label" | "default";
  /** Where the user works. */
  userNamespace: string;
  koncliVersion: string;
  server: { major: number; minor: number; gitVersion: string };
  /** The versions of group konductor.io that the API server serves. */
  servedVersions: readonly string[];
  crds: readonly { name: string; object: Known<ApiObject> }[];
  webhook: Known<ApiObject>;
  policies: Known<readonly ApiObject[]>;
  bindings: Known<readonly ApiObject[]>;
  injection: Known<ApiObject>;
  /** The Secret with konductor's certificate. */
  secretName: string;
  secret: Known<ApiObject>;
  deployment: Known<ApiObject>;
  arbiter: Known<ApiObject>;
  nodes: Known<readonly NodeView[]>;
  trial: Trial;
  rights: readonly Right[];
  clocks: TwoClocks;
}

/** konductor's replicas, arbiter, version; nodes, clocks, the caller's rights. Pure. */

import { declaresFencing, FIRST_FENCING_MINOR } from "../../objects/features.ts";
import { formatAge } from "../../shared/age.ts";
import { record, text, timeMs } from "../../shared/json.ts";
import { VERSION_FROM_SOURCES } from "../../shared/version.ts";
import { ifKnown } from "../known.ts";
import { enumerate } from "../why/wording.ts";
import { containerOf, flagOf } from "./deployment.ts";
import { type Finding, fail, ok, unknown, warn } from "./finding.ts";
import type { Install } from "./install.ts";
import { exemptNamespaces } from "./shipped.ts";

const FIRST_MINOR = 33;

export function checkServer({ server: { major, minor, gitVersion } }: Install): Finding {
  const isAtLeast = (least: number) => major > 1 || (major === 1 && minor >= least);
  if (!isAtLeast(FIRST_MINOR)) {
    return fail("kubernetes", `the API server is ${gitVersion}`, `konductor needs 1.${FIRST_MINOR} or newer`);
  }
  return isAtLeast(FIRST_FENCING_MINOR)
    ? ok("kubernetes", `the API server is ${gitVersion}`)
    : warn(
        "kubernetes",
        `the API server is ${gitVersion}, so pods cannot fence themselves`,
        `upgrade to 1.${FIRST_FENCING_MINOR} or newer`,
      );
}

export function checkPlace({ namespace, foundBy }: Install): Finding {
  const how = {
    flag: "as --konductor-namespace says",
    webhook: "as the webhook configuration says",
    label: "as the label of its Deployment says",
  };
  return foundBy === "default"
    ? warn(
        "namespace",
        `konductor was not found; it is taken to run in ${namespace}`,
        "say where it runs: --konductor-namespace",
      )
    : ok("namespace", `konductor runs in ${namespace}, ${how[foundBy]}`);
}

export function checkReplicas({ deployment, namespace }: Install): Finding {
  if (deployment.is === "unread") return unknown("replicas", "how many replicas are ready is", deployment);
  const todo = `kubectl -n ${namespace} describe pods -l app.kubernetes.io/name=konductor`;
  if (deployment.is === "missing") {
    return fail(
      "replicas",
      `there is no Deployment ${namespace}/konductor`,
      "install konductor, or say where it runs (--konductor-namespace)",
    );
  }
  const { spec, status } = deployment.value;
  const wanted = Number(record(spec)["replicas"] ?? 1);
  const ready = Number(record(status)["readyReplicas"] ?? 0);
  const message = `${ready} of ${wanted} replicas are ready`;
  if (ready === 0) return fail("replicas", `${message}, so labelled workloads are refused`, todo);
  if (ready < wanted) return warn("replicas", message, todo);
  return wanted === 1
    ? warn("replicas", `${message}: while it is replaced, labelled workloads are refused`, "run two replicas")
    : ok("replicas", message);
}

/** The version in the tag of konductor's image; undefined if it has none. */
export function konductorVersion({ deployment }: Install): string | undefined {
  return /:v?(\d+\.\d+\.\d+[^@/:]*)(?:@.*)?$/.exec(
    text(containerOf(ifKnown(deployment))["image"]) ?? "",
  )?.[1];
}

export function checkVersions(install: Install): Finding {
  const { deployment, koncliVersion } = install;
  if (deployment.is === "unread")
    return unknown("version", `koncli is ${koncliVersion}; konductor's version is`, deployment);
  const version = konductorVersion(install);
  if (version === undefined) {
    return warn(
      "version",
      `koncli is ${koncliVersion}; no image of konductor's tells its version`,
      "compare them yourself",
    );
  }
  return version === koncliVersion || koncliVersion === VERSION_FROM_SOURCES
    ? ok("version", `konductor is ${version}, and koncli ${koncliVersion}`)
    : warn("version", `konductor is ${version}, and koncli ${koncliVersion}`, "use the same version of both");
}

/** Renewals of the election are a second apart. */
const CLOCK_AHEAD_MS = 5_000;

export function checkArbiter({ arbiter, clocks, namespace }: Install): Finding {
  if (arbiter.is === "unread") return unknown("arbiter", "who is the arbiter is", arbiter);
  const todo = `see why no replica leads: kubectl -n ${namespace} logs -l app.kubernetes.io/name=konductor --prefix`;
  const spec = record(ifKnown(arbiter)?.["spec"]);
  const holder = text(spec["holderIdentity"]) ?? "";
  const renewedMs = timeMs(spec["renewTime"]);
  if (holder === "" || renewedMs === undefined)
    return fail("arbiter", "no replica is the arbiter: nothing is granted", todo);
  const ageMs = clocks.serverMs - renewedMs;
  if (ageMs > Number(spec["leaseDurationSeconds"] ?? 0) * 1_000 + clocks.unsureMs) {
    return fail(
      "arbiter",
      `the arbiter ${holder} has been silent for ${formatAge(ageMs)}: nothing is granted`,
      todo,
    );
  }
  return ageMs < -CLOCK_AHEAD_MS
    ? warn(
        "arbiter",
        `the clock of the arbiter ${holder} is ${formatAge(-ageMs)} ahead of the API server's`,
        "set the clock of its node",
      )
    : ok("arbiter", `${holder} is the arbiter, heard ${formatAge(ageMs)} ago`);
}

/** Beyond it, tokens and certificates that were just made may be refused. */
const CLOCKS_DIFFER_MS = 5_000;

export function checkClock({ clocks: { serverMs, machineMs, unsureMs } }: Install): Finding {
  const offMs = machineMs - serverMs;
  return Math.abs(offMs) > CLOCKS_DIFFER_MS + unsureMs
    ? warn(
        "clock",
        `this machine's clock is ${formatAge(Math.abs(offMs))} ${offMs > 0 ? "ahead of" : "behind"} the API server's`,
        "set it by NTP; konductor and koncli do not rely on it, but credentials may",
      )
    : ok("clock", "this machine's clock agrees with the API server's");
}

export function checkNodes({ nodes, deployment }: Install): Finding {
  if (flagOf(ifKnown(deployment), "self-fencing") === "never") {
    return warn("fencing", "konductor runs with --self-fencing=never", "leave it out, if nodes can fence");
  }
  if (nodes.is === "unread") return unknown("fencing", "which nodes can fence is", nodes);
  const able = (ifKnown(nodes) ?? []).filter(
    ({ schedulable, labels }) => schedulable && (labels["kubernetes.io/os"] ?? "linux") === "linux",
  );
  const unable = able.filter((node) => !declaresFencing(node)).map(({ name }) => name);
  if (able.length === 0) return warn("fencing", "no Linux node is schedulable", "kubectl get nodes");
  return unable.length === 0
    ? ok("fencing", `${able.length} of ${able.length} schedulable Linux nodes can fence`)
    : warn(
        "fencing",
        `${unable.length} of ${able.length} schedulable Linux nodes cannot fence: ${enumerate(unable)}`,
        "pods that may run there are not fenced, and hand over later: upgrade their kubelets to 1.36 or newer",
      );
}

export function checkExempt({ webhook, namespace, userNamespace }: Install): Finding {
  if (webhook.is === "unread")
    return unknown("exempt", "in which namespaces the label has no effect is", webhook);
  const exempt = exemptNamespaces(ifKnown(webhook), namespace);
  return exempt.includes(userNamespace)
    ? warn(
        "exempt",
        `in your namespace ${userNamespace} the label has no effect`,
        "work in another namespace (-n)",
      )
    : ok("exempt", `the label has no effect in ${enumerate(exempt, 5)}`);
}

export function checkRights({ rights, userNamespace }: Install): Finding {
  const lacks = (role: string) =>
    rights
      .filter((each) => each.role === role && !each.isAllowed)
      .map(({ verb, resource }) => `${verb} ${resource}`);
  const [view, user, admin] = [lacks("konductor-view"), lacks("konductor-user"), lacks("konductor-admin")];
  const ask = (role: string) => `ask for ClusterRole ${role} in ${userNamespace}`;
  if (view.length > 0)
    return fail("rights", `you may not ${enumerate(view)} in ${userNamespace}`, ask("konductor-user"));
  if (user.length > 0)
    return warn(
      "rights",
      `you may see kleases in ${userNamespace}, but not ${enumerate(user)}`,
      `${ask("konductor-user")} to acquire`,
    );
  const force = admin.length > 0 ? "but not take them from others" : "and take them from others";
  return ok("rights", `you may acquire kleases in ${userNamespace}, ${force}`);
}

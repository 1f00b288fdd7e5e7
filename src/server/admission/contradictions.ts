/** Settings that contradict each other or the object that carries them: refused in one sentence with field, value and what is allowed. */
import { type JobSize, NEEDS_WHOLE, needsWhole } from "../../lease/job.ts";
import { type Settings, waitsUnscheduled } from "../../lease/settings.ts";
import { KonductorError } from "../../shared/errors.ts";
import { ANNOTATION } from "../../shared/names.ts";
import type { PodTemplate } from "./objects.ts";

/** Where a template stands in the object that the user wrote: "" for a pod, else e.g. "spec.template.". */
export type Path = string;

/** Fields of a Job that decide whether it can be skipped, or wait as a whole. */
export interface JobWishes extends JobSize {
  managedBy?: string | undefined;
}

/** The object that carries a template's settings. */
export interface Bearer {
  path: Path;
  /** undefined: it is neither a Job nor a Job's pod. */
  job: JobWishes | undefined;
}

interface Wishes extends Bearer {
  pod: PodTemplate;
  settings: Settings;
}

interface Contradiction {
  isThere(wishes: Wishes): boolean;
  /** The annotation that is refused; or a field and its value. */
  refused: string | ((wishes: Wishes) => readonly [field: string, value: unknown]);
  rule: string | ((wishes: Wishes) => string);
}

const KUBERNETES_JOB_CONTROLLER = "kubernetes.io/job-controller";
/** With more pods, the list of those that may run would not fit into the klease. */
const MAX_PARALLELISM = 500;

const isForeign = ({ job }: Wishes) =>
  (job?.managedBy ?? KUBERNETES_JOB_CONTROLLER) !== KUBERNETES_JOB_CONTROLLER;
const isTooWide = ({ parallelism = 1 }: JobWishes) => parallelism > MAX_PARALLELISM;
const isTimed = ({ pod }: Wishes) => pod.metadata?.annotations?.[ANNOTATION.waitTimeout] !== undefined;
const managedBy = ({ job }: Wishes) => ["spec.managedBy", job?.managedBy] as const;

const severalOf = ({ completions = 1, parallelism }: JobWishes): readonly [string, unknown] =>
  completions > 1 ? ["spec.completions", completions] : ["spec.parallelism", parallelism];

const WITH_ONCE = `with ${ANNOTATION.once}`;
const ONE_COMPLETION = `${NEEDS_WHOLE}; without it only 1 is allowed`;
const WITH_SKIP = `with ${ANNOTATION.ifHeld} "skip"`;
const WITH_JOB = `with ${ANNOTATION.gate} "job"`;
const AT_MOST_PARALLEL = `${WITH_JOB} at most ${MAX_PARALLELISM} is allowed`;
const gateComesLate = ({ settings: { gate } }: Wishes) =>
  `with ${ANNOTATION.gate} "${gate}" the gate runs only after the grant, so that it cannot fail or time out; "init" is allowed`;

/** All contradictions; only the first that applies is reported. */
const CONTRADICTIONS: readonly Contradiction[] = [
  {
    // Only a Job can end without having run.
    isThere: ({ settings, job }) => settings.ifHeld === "skip" && !job,
    refused: ANNOTATION.ifHeld,
    rule: "only the pods of a Job can be skipped; wait or fail is allowed",
  },
  {
    isThere: (wishes) => wishes.settings.ifHeld === "skip" && isForeign(wishes),
    refused: managedBy,
    rule: `${WITH_SKIP} only Kubernetes' own Job controller is allowed`,
  },
  {
    isThere: ({ settings, job }) => settings.gate === "job" && !job,
    refused: ANNOTATION.gate,
    rule: "only a Job can wait as a whole; init or scheduling is allowed",
  },
  {
    isThere: (wishes) => wishes.settings.gate === "job" && isForeign(wishes),
    refused: managedBy,
    rule: `${WITH_JOB} only Kubernetes' own Job controller is allowed`,
  },
  {
    isThere: ({ settings, job = {} }) => settings.gate === "job" && isTooWide(job),
    refused: ({ job }) => ["spec.parallelism", job?.parallelism],
    rule: AT_MOST_PARALLEL,
  },
  {
    isThere: ({ settings }) => settings.gate === "job" && settings.onLost !== "terminate",
    refused: ANNOTATION.onLost,
    rule: `${WITH_JOB} only terminate is allowed`,
  },
  {
    isThere: ({ settings }) => settings.gate === "job" && !settings.renew,
    refused: ANNOTATION.renew,
    rule: `${WITH_JOB} only true is allowed, since every pod that starts renews the hold`,
  },
  {
    isThere: ({ settings, pod }) => waitsUnscheduled(settings) && pod.spec.nodeName !== undefined,
    refused: ({ path, pod }) => [`${path}spec.nodeName`, pod.spec.nodeName],
    rule: ({ settings: { gate } }) =>
      `${gate === "scheduling" ? `with ${ANNOTATION.gate} "scheduling"` : WITH_SKIP} no node may be named; leave it out, or the annotation`,
  },
  {
    isThere: ({ settings }) => settings.maxRestarts !== undefined && settings.gate === "job",
    refused: ANNOTATION.maxRestarts,
    rule: `${WITH_JOB} it has no effect, since the Job's backoffLimit counts restarts; leave one of the two out`,
  },
  {
    isThere: ({ settings }) => settings.maxRestarts !== undefined && settings.onLost === "continue",
    refused: ANNOTATION.maxRestarts,
    rule: `with ${ANNOTATION.onLost} "continue" main would go on beside the next holder; leave one of the two out`,
  },
  {
    isThere: ({ settings, pod }) => settings.maxRestarts !== undefined && pod.spec.restartPolicy === "Never",
    refused: ANNOTATION.maxRestarts,
    rule: "with restartPolicy Never nothing is restarted; leave the annotation out",
  },
  {
    isThere: (wishes) => isTimed(wishes) && wishes.settings.ifHeld !== "wait",
    refused: ANNOTATION.waitTimeout,
    rule: ({ settings: { ifHeld } }) =>
      `with ${ANNOTATION.ifHeld} "${ifHeld}" nobody waits; leave one of the two out`,
  },
  {
    isThere: (wishes) => isTimed(wishes) && wishes.settings.gate !== "init",
    refused: ANNOTATION.waitTimeout,
    rule: gateComesLate,
  },
  {
    isThere: ({ settings }) => settings.ifHeld === "fail" && settings.gate !== "init",
    refused: ANNOTATION.ifHeld,
    rule: gateComesLate,
  },
  {
    isThere: ({ settings, job }) => settings.once !== undefined && !job,
    refused: ANNOTATION.once,
    rule:
      "only a Job can end without having run; leave the annotation out, and do what is to be done once in an init container, by " +
      "koncli lease exec --once",
  },
  {
    isThere: (wishes) => wishes.settings.once !== undefined && isForeign(wishes),
    refused: managedBy,
    rule: `${WITH_ONCE} only Kubernetes' own Job controller is allowed`,
  },
  {
    isThere: ({ settings, job = {} }) => needsWhole(settings, job),
    refused: ({ job = {} }) => severalOf(job),
    rule: ONE_COMPLETION,
  },
  {
    isThere: ({ settings }) => settings.once !== undefined && settings.onLost === "continue",
    refused: ANNOTATION.onLost,
    rule: `${WITH_ONCE} only terminate is allowed, since the success of a run that has lost its hold is not noted`,
  },
];

/** @throws KonductorError `Invalid` for the first contradiction in what a template asks for. */
export function refuseContradictions(pod: PodTemplate, settings: Settings, bearer: Bearer): void {
  const wishes = { ...bearer, pod, settings };
  const found = CONTRADICTIONS.find(({ isThere }) => isThere(wishes));
  if (!found) return;
  const { refused, rule } = found;
  const [field, value] =
    typeof refused === "string"
      ? [`${bearer.path}metadata.annotations[${refused}]`, pod.metadata?.annotations?.[refused]]
      : refused(wishes);
  throw invalid(field, value, typeof rule === "string" ? rule : rule(wishes));
}

/** @throws KonductorError `Invalid` for more pods than a Job's hold can list. */
export function refuseParallelism(parallelism: number): void {
  if (isTooWide({ parallelism })) throw invalid("spec.parallelism", parallelism, AT_MOST_PARALLEL);
}

/** @throws KonductorError `Invalid` where pods of a Job, one of which does its work once, would become several. */
export function refuseSeveral(settings: Settings, job: JobWishes): void {
  if (needsWhole(settings, job)) throw invalid(...severalOf(job), ONE_COMPLETION);
}

function invalid(field: string, value: unknown, rule: string): KonductorError {
  return new KonductorError("Invalid", `${field}: Invalid value: ${JSON.stringify(value)}: ${rule}`);
}

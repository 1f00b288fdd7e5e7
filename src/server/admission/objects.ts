/**
 * The objects of an admission request, as far as we look into them. Everything else passes through untouched: the guards check
 * a shape and copy nothing, so that what the API server sent is what a patch is compared with.
 */
import type { StoppableContainer } from "../../lease/stop.ts";

export type Quantities = Record<string, string>;

export interface Resources {
  requests?: Quantities;
  limits?: Quantities;
}

export interface Container extends StoppableContainer {
  [field: string]: unknown;
  command?: string[];
  args?: string[];
  env?: Record<string, unknown>[];
  volumeMounts?: Record<string, unknown>[];
  securityContext?: Record<string, unknown>;
  resources?: Resources;
  lifecycle?: { postStart?: object; preStop?: object };
}

export interface Volume {
  [field: string]: unknown;
  name: string;
}

export interface PodSpec {
  [field: string]: unknown;
  containers: Container[];
  initContainers?: Container[];
  volumes?: Volume[];
  restartPolicy?: string;
  terminationGracePeriodSeconds?: number;
  activeDeadlineSeconds?: number;
  nodeSelector?: Record<string, string>;
  nodeName?: string;
  schedulingGates?: { name: string }[];
  imagePullSecrets?: { name?: string }[];
  os?: { name: string };
  resources?: Resources;
}

export interface Metadata {
  [field: string]: unknown;
  name?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  deletionTimestamp?: string;
}

/** A pod, or a template of pods. */
export interface PodTemplate {
  [field: string]: unknown;
  metadata?: Metadata;
  spec: PodSpec;
}

/** A Job, or anything of apps/v1 that has a pod template. */
export interface TemplateOwner {
  [field: string]: unknown;
  metadata?: Metadata;
  spec: {
    [field: string]: unknown;
    template: PodTemplate;
    activeDeadlineSeconds?: number;
    suspend?: boolean;
  };
}

export interface CronJob {
  [field: string]: unknown;
  metadata?: Metadata;
  spec: { [field: string]: unknown; jobTemplate: TemplateOwner };
}

type Check = (value: unknown) => boolean;

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const isString: Check = (value) => typeof value === "string";
const isBoolean: Check = (value) => typeof value === "boolean";
const isNumber: Check = (value) => typeof value === "number";
const optional =
  (check: Check): Check =>
  (value) =>
    value === undefined || check(value);
const listOf =
  (check: Check): Check =>
  (value) =>
    Array.isArray(value) && value.every(check);
const mapOf =
  (check: Check): Check =>
  (value) =>
    isRecord(value) && Object.values(value).every(check);
const shape =
  (fields: Record<string, Check>): Check =>
  (value) =>
    isRecord(value) && Object.entries(fields).every(([name, check]) => check(value[name]));

const probe = optional(shape({ terminationGracePeriodSeconds: optional(isNumber) }));
const resources = optional(shape({ requests: optional(mapOf(isString)), limits: optional(mapOf(isString)) }));
const container = shape({
  name: isString,
  command: optional(listOf(isString)),
  args: optional(listOf(isString)),
  env: optional(listOf(isRecord)),
  volumeMounts: optional(listOf(isRecord)),
  securityContext: optional(isRecord),
  resources,
  restartPolicy: optional(isString),
  livenessProbe: probe,
  startupProbe: probe,
  lifecycle: optional(shape({ postStart: optional(isRecord) })),
});
const metadata = optional(
  shape({
    name: optional(isString),
    labels: optional(mapOf(isString)),
    annotations: optional(mapOf(isString)),
    deletionTimestamp: optional(isString),
  }),
);
const podTemplate = shape({
  metadata,
  spec: shape({
    containers: listOf(container),
    initContainers: optional(listOf(container)),
    volumes: optional(listOf(shape({ name: isString }))),
    restartPolicy: optional(isString),
    terminationGracePeriodSeconds: optional(isNumber),
    activeDeadlineSeconds: optional(isNumber),
    nodeSelector: optional(mapOf(isString)),
    nodeName: optional(isString),
    schedulingGates: optional(listOf(shape({ name: isString }))),
    imagePullSecrets: optional(listOf(shape({ name: optional(isString) }))),
    os: optional(shape({ name: isString })),
    resources,
  }),
});
const templateOwner = shape({
  metadata,
  spec: shape({
    template: podTemplate,
    activeDeadlineSeconds: optional(isNumber),
    suspend: optional(isBoolean),
  }),
});
const cronJob = shape({ metadata, spec: shape({ jobTemplate: templateOwner }) });

export function isPodTemplate(value: unknown): value is PodTemplate {
  return podTemplate(value);
}

export function isTemplateOwner(value: unknown): value is TemplateOwner {
  return templateOwner(value);
}

export function isCronJob(value: unknown): value is CronJob {
  return cronJob(value);
}

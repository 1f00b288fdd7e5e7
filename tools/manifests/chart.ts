/**
 * The templates of the Helm chart, made from the objects of `deploy/` in a namespace and with an image of which nothing else bears the name: every
 * place that has them becomes a template's expression.
 */
import { parseAllDocuments } from "yaml";
import { record } from "../../src/shared/json.ts";
import type { Overlay } from "./render.ts";

/** Names that stand for what a release of the chart chooses. */
export const PLACEHOLDERS: Overlay = {
  namespace: "release-namespace",
  image: { newName: "release-image", newTag: "placeholder" },
};

const IMAGE = `${PLACEHOLDERS.image.newName}:${PLACEHOLDERS.image.newTag}`;
/** The release's namespace is made by `helm install --create-namespace`. */
const LEFT_OUT = new Set(["Namespace"]);
/** Objects of cert-manager. */
const ISSUED = new Set(["Certificate", "Issuer"]);
/** Conditions of the value that says who issues konductor's certificate: see certs/README.md. */
const OWN_CA = 'eq .Values.certificates.source "own"';
const CERT_MANAGER = 'eq .Values.certificates.source "cert-manager"';
/** Objects of deploy/monitoring, each with the value that has it in the chart. */
const MONITORING: Readonly<Record<string, string>> = {
  "ServiceMonitor konductor": "serviceMonitor",
  "NetworkPolicy konductor-metrics": "serviceMonitor",
  "PrometheusRule konductor": "prometheusRule",
  "ConfigMap konductor-dashboard": "dashboard",
};
/** cert-manager's CA injector writes the CA into the webhook configuration. */
const OTHERS_WRITE_CA_BUNDLE = `or (${CERT_MANAGER}) (not .Values.certificates.writeCaBundle)`;

/** The objects of `deploy/`, alone and with a component each. */
export interface Rendered {
  readonly own: string;
  /** With certs/cert-manager. */
  readonly issued: string;
  /** With deploy/monitoring. */
  readonly monitored: string;
}

/**
 * The chart's templates by file name, one for each kind of object. Throws if an object has not the form that a value must reach into.
 */
export function chartTemplates({ own, issued, monitored }: Rendered): ReadonlyMap<string, string> {
  const templates = new Map<string, string>();
  const add = (text: string, isWanted: (kind: string, id: string) => boolean) => {
    for (const document of parseAllDocuments(text)) {
      const object = record(document.toJS());
      const kind = String(object["kind"]);
      const name = String(record(object["metadata"])["name"]);
      if (!isWanted(kind, `${kind} ${name}`)) continue;
      const file = `${kind.toLowerCase()}.yaml`;
      const before = templates.has(file) ? `${templates.get(file)}---\n` : "";
      const yaml = document.toString({ lineWidth: 140 }).replace(/^---\n/, "");
      templates.set(file, before + template(kind, name, yaml));
    }
  };
  add(own, (kind) => !LEFT_OUT.has(kind));
  add(issued, (kind) => ISSUED.has(kind));
  add(monitored, (_, id) => id in MONITORING);
  return templates;
}

function template(kind: string, name: string, object: string): string {
  // Expressions of Prometheus and Grafana look like Helm's.
  const chosen = exempt(object.replaceAll("{{", '{{ "{{" }}'))
    .replaceAll(IMAGE, '{{ include "konductor.image" . }}')
    .replaceAll(PLACEHOLDERS.namespace, "{{ .Release.Namespace }}");
  const monitoring = MONITORING[`${kind} ${name}`];
  if (monitoring) return monitoringTemplate(kind, `.Values.monitoring.${monitoring}`, chosen);
  if (ISSUED.has(kind)) return inCase(CERT_MANAGER, chosen);
  if (name === "konductor-ca-bundle") return inCase(`not (${OTHERS_WRITE_CA_BUNDLE})`, chosen);
  switch (kind) {
    case "ConfigMap":
      return replaceOnce(chosen, /mirrors: ""/, 'mirrors: {{ join " " .Values.workloads.mirrors | quote }}');
    case "CustomResourceDefinition":
      return inCase(".Values.crds.enabled", kept(chosen));
    case "Deployment":
      return deployment(chosen);
    case "MutatingWebhookConfiguration":
      return replaceOnce(
        chosen,
        /^metadata:\n/m,
        (found) =>
          `${found}  {{- if ${CERT_MANAGER} }}\n  annotations:\n    cert-manager.io/inject-ca-from: {{ .Release.Namespace }}/konductor\n  {{- end }}\n`,
      );
    case "ResourceQuota":
      // Only priorities of the system may be limited to namespaces with such a quota.
      return inCase(
        'hasPrefix "system-" .Values.priorityClassName',
        replaceOnce(chosen, /- system-cluster-critical/, "- {{ .Values.priorityClassName }}"),
      );
    case "Role":
      return replaceOnce(chosen, SECRET_RULES, (found) => `  {{- if ${OWN_CA} }}\n${found}  {{- end }}\n`);
    default:
      return chosen;
  }
}

/** `value`: that of the object in values.yaml, which switches it on, and has more labels. */
function monitoringTemplate(kind: string, value: string, object: string): string {
  const labelled = replaceOnce(object, /^ {2}labels:\n(?: {4}\S+: .*\n)+/m, (found) => {
    const pairs = [...found.matchAll(/^ {4}(\S+): "?(.*?)"?$/gm)].map(
      ([, name, text]) => `"${name}" "${text}"`,
    );
    const own = `(dict ${pairs.join(" ")})`;
    return `  labels:\n    {{- toYaml (mergeOverwrite ${own} ${value}.labels) | nindent 4 }}\n`;
  });
  const from = /^ {4}- from:\n(?: {8}.*\n)(?: {10}.*\n)+/m;
  const opened =
    kind === "NetworkPolicy"
      ? replaceOnce(labelled, from, `    - from:\n        {{- toYaml ${value}.from | nindent 8 }}\n`)
      : labelled;
  return inCase(`${value}.enabled`, opened);
}

/** The rules of Role konductor about Secrets, which stand first. */
const SECRET_RULES =
  /(?: {2}- apiGroups:\n {6}- ""\n(?: {4}resourceNames:\n {6}- .*\n)? {4}resources:\n {6}- secrets\n {4}verbs:\n(?: {6}- .*\n)+)+/;

/** Lists of namespaces whose pods konductor leaves alone. */
function exempt(object: string): string {
  const list = new RegExp(`values:\\n +- kube-system\\n +- ${PLACEHOLDERS.namespace}\\n`, "g");
  return object.replaceAll(list, 'values: {{ include "konductor.exemptNamespaces" . }}\n');
}

/** Leases outlive an uninstalled chart. */
function kept(crd: string): string {
  const annotation = "    {{- if .Values.crds.keep }}\n    helm.sh/resource-policy: keep\n    {{- end }}\n";
  const hasAnnotations = /^ {2}annotations:\n/m;
  if (hasAnnotations.test(crd)) return replaceOnce(crd, hasAnnotations, (found) => found + annotation);
  return replaceOnce(
    crd,
    /^metadata:\n/m,
    "metadata:\n  {{- if .Values.crds.keep }}\n  annotations:\n    helm.sh/resource-policy: keep\n  {{- end }}\n",
  );
}

function deployment(object: string): string {
  const edits: readonly (readonly [place: RegExp, text: string])[] = [
    [/^ {2}replicas: 2\n/m, "  replicas: {{ .Values.replicaCount }}\n"],
    [
      /^ {6}annotations:\n/m,
      "      annotations:\n        {{- with .Values.podAnnotations }}\n        {{- toYaml . | nindent 8 }}\n        {{- end }}\n",
    ],
    [/^ {10}imagePullPolicy: IfNotPresent\n/m, "          imagePullPolicy: {{ .Values.image.pullPolicy }}\n"],
    [
      /^ {12}- serve\n/m,
      `            - serve
            {{- if not (${OWN_CA}) }}
            - --cert-dir=/certs
            {{- end }}
            {{- if ${OTHERS_WRITE_CA_BUNDLE} }}
            - --write-ca-bundle=false
            {{- end }}
`,
    ],
    [
      /^ {6}priorityClassName: /m,
      `          {{- if not (${OWN_CA}) }}
          volumeMounts:
            - mountPath: /certs
              name: certs
              readOnly: true
          {{- end }}
      {{- if not (${OWN_CA}) }}
      volumes:
        - name: certs
          secret:
            secretName: konductor-certificate
      {{- end }}
      priorityClassName: `,
    ],
    [
      /^ {10}env:\n/m,
      '          {{- with include "konductor.args" . | fromYamlArray }}\n          args:\n            {{- toYaml . | nindent 12 }}\n          {{- end }}\n          env:\n',
    ],
    [
      /^ {10}resources:\n(?: {12}.*\n)+/m,
      "          resources:\n            {{- toYaml .Values.resources | nindent 12 }}\n",
    ],
    [
      /^ {6}priorityClassName: .*\n/m,
      `      {{- with .Values.priorityClassName }}
      priorityClassName: {{ . }}
      {{- end }}
${block("imagePullSecrets")}${block("nodeSelector")}${block("tolerations")}${block("affinity")}`,
    ],
  ];
  return edits.reduce((all, [place, replacement]) => replaceOnce(all, place, replacement), object);
}

/** A field of the pod's spec that the value of the same name fills. */
function block(field: string): string {
  return `      {{- with .Values.${field} }}\n      ${field}:\n        {{- toYaml . | nindent 8 }}\n      {{- end }}\n`;
}

function inCase(condition: string, object: string): string {
  return `{{- if ${condition} }}\n${object}{{- end }}\n`;
}

function replaceOnce(
  whole: string,
  place: RegExp,
  replacement: string | ((found: string) => string),
): string {
  const found = whole.match(new RegExp(place, `${place.flags}g`)) ?? [];
  if (found.length !== 1)
    throw new Error(`an object of deploy/ has ${place} ${found.length} times, and the chart expects it once`);
  return whole.replace(place, typeof replacement === "string" ? () => replacement : replacement);
}

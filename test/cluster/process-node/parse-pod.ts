/** Parses a pod once, at the edge. */
import { type Fields, fieldsOf } from "./fields.ts";
import type { Container, EnvVar, Hook, Phase, Pod, ProjectedSource, RestartPolicy, Volume } from "./pod.ts";

/** Parses a pod as the API server writes it; throws with the field's path if the object is no pod. */
export function parsePod(value: unknown): Pod {
  const pod = fieldsOf(value, "pod");
  const metadata = pod.child("metadata");
  const spec = pod.child("spec");
  const status = pod.child("status");
  return {
    name: metadata.text("name"),
    namespace: metadata.text("namespace"),
    uid: metadata.text("uid"),
    generation: metadata.number("generation"),
    labels: metadata.map("labels"),
    annotations: metadata.map("annotations"),
    deleting: metadata.has("deletionTimestamp"),
    deletionGracePeriodSeconds: metadata.number("deletionGracePeriodSeconds"),
    nodeName: spec.optionalText("nodeName") ?? "",
    serviceAccountName: spec.optionalText("serviceAccountName") ?? "default",
    hostNetwork: spec.flag("hostNetwork"),
    restartPolicy: restartPolicyOf(spec.optionalText("restartPolicy")) ?? "Always",
    terminationGracePeriodSeconds: spec.number("terminationGracePeriodSeconds") ?? 30,
    activeDeadlineSeconds: spec.number("activeDeadlineSeconds"),
    initContainers: spec.children("initContainers").map((item) => parseContainer(item, true)),
    containers: spec.children("containers").map((item) => parseContainer(item, false)),
    volumes: spec.children("volumes").map(parseVolume),
    phase: phaseOf(status.optionalText("phase")),
    conditions: status.children("conditions").map((item) => ({
      type: item.text("type"),
      status: item.text("status"),
      lastTransitionTime: item.optionalText("lastTransitionTime"),
    })),
    startTime: status.optionalText("startTime"),
  };
}

function parseContainer(item: Fields, init: boolean): Container {
  const restartPolicy = restartPolicyOf(item.optionalText("restartPolicy"));
  const lifecycle = item.child("lifecycle");
  return {
    name: item.text("name"),
    image: item.optionalText("image") ?? "",
    command: item.texts("command"),
    args: item.texts("args"),
    env: [
      ...item
        .children("envFrom")
        .map(() => ({ name: "envFrom", value: "", fieldPath: undefined, unsupported: true })),
      ...item.children("env").map(parseEnvVar),
    ],
    mounts: item.children("volumeMounts").map((mount) => ({
      volume: mount.text("name"),
      path: mount.text("mountPath"),
      subPath: mount.optionalText("subPath") ?? "",
    })),
    restartPolicy,
    restartRules: item.children("restartPolicyRules").map((rule) => ({
      action: rule.text("action"),
      operator: rule.child("exitCodes").optionalText("operator") ?? "",
      exitCodes: rule.child("exitCodes").numbers("values"),
    })),
    sidecar: init && restartPolicy === "Always",
    preStop: lifecycle.has("preStop") ? parseHook(lifecycle.child("preStop")) : undefined,
  };
}

function parseEnvVar(item: Fields): EnvVar {
  const fieldPath = item.child("valueFrom").child("fieldRef").optionalText("fieldPath");
  return {
    name: item.text("name"),
    value: item.optionalText("value") ?? "",
    fieldPath,
    unsupported: item.has("valueFrom") && fieldPath === undefined,
  };
}

function parseHook(hook: Fields): Hook {
  if (hook.has("exec")) return { kind: "exec", command: hook.child("exec").texts("command") };
  if (hook.has("sleep")) return { kind: "sleep", seconds: hook.child("sleep").number("seconds") ?? 0 };
  return { kind: "unsupported" };
}

function parseVolume(volume: Fields): Volume {
  const name = volume.text("name");
  if (volume.has("emptyDir")) return { kind: "emptyDir", name };
  if (volume.has("hostPath")) return { kind: "hostPath", name, path: volume.child("hostPath").text("path") };
  if (volume.has("projected")) {
    return {
      kind: "projected",
      name,
      sources: volume.child("projected").children("sources").flatMap(parseSource),
    };
  }
  for (const kind of ["configMap", "secret"] as const) {
    if (!volume.has(kind)) continue;
    const source = volume.child(kind);
    return {
      kind: "projected",
      name,
      sources: [parseObjectSource(source, kind, kind === "secret" ? "secretName" : "name")],
    };
  }
  if (volume.has("downwardAPI")) {
    return { kind: "projected", name, sources: [parseDownwardApi(volume.child("downwardAPI"))] };
  }
  return { kind: "unsupported", name };
}

function parseSource(source: Fields): ProjectedSource[] {
  if (source.has("serviceAccountToken")) {
    const token = source.child("serviceAccountToken");
    return [
      {
        kind: "token",
        path: token.text("path"),
        audience: token.optionalText("audience"),
        expirationSeconds: token.number("expirationSeconds") ?? 3600,
      },
    ];
  }
  if (source.has("configMap")) return [parseObjectSource(source.child("configMap"), "configMap", "name")];
  if (source.has("secret")) return [parseObjectSource(source.child("secret"), "secret", "name")];
  if (source.has("downwardAPI")) return [parseDownwardApi(source.child("downwardAPI"))];
  return [];
}

function parseObjectSource(source: Fields, kind: "configMap" | "secret", nameKey: string): ProjectedSource {
  return {
    kind,
    name: source.text(nameKey),
    items: source.children("items").map((item) => ({ key: item.text("key"), path: item.text("path") })),
    optional: source.flag("optional"),
  };
}

function parseDownwardApi(source: Fields): ProjectedSource {
  return {
    kind: "downwardAPI",
    items: source.children("items").map((item) => ({
      path: item.text("path"),
      fieldPath: item.child("fieldRef").optionalText("fieldPath") ?? "",
    })),
  };
}

function restartPolicyOf(text: string | undefined): RestartPolicy | undefined {
  return text === "Always" || text === "OnFailure" || text === "Never" ? text : undefined;
}

function phaseOf(text: string | undefined): Phase {
  return text === "Running" || text === "Succeeded" || text === "Failed" ? text : "Pending";
}

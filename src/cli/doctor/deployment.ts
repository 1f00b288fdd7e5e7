/** What `koncli doctor` reads from konductor's Deployment. Pure. */
import { list, record, text } from "../../shared/json.ts";
import { TLS_SECRET } from "../../shared/names.ts";
import type { ApiObject } from "./install.ts";

function podSpecOf(deployment: ApiObject | undefined): ApiObject {
  return record(record(record(deployment?.["spec"])["template"])["spec"]);
}

/** konductor's container. */
export function containerOf(deployment: ApiObject | undefined): ApiObject {
  return record(list(podSpecOf(deployment)["containers"])[0]);
}

/** The value of a flag that is written as `--NAME=VALUE`. */
export function flagOf(deployment: ApiObject | undefined, name: string): string | undefined {
  const { command, args } = containerOf(deployment);
  const start = `--${name}=`;
  const found = [...list(command), ...list(args)].map(String).find((arg) => arg.startsWith(start));
  return found?.slice(start.length);
}

/** The Secret that has konductor's certificate: its own, or the one that is mounted where `--cert-dir` says. */
export function certificateSecret(deployment: ApiObject | undefined): string {
  const dir = flagOf(deployment, "cert-dir");
  const mount = list(containerOf(deployment)["volumeMounts"])
    .map(record)
    .find(({ mountPath }) => dir !== undefined && mountPath === dir);
  const volume = list(podSpecOf(deployment)["volumes"])
    .map(record)
    .find(({ name }) => mount !== undefined && name === mount["name"]);
  return text(record(volume?.["secret"])["secretName"]) ?? TLS_SECRET;
}

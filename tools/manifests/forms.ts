/** The forms of the install that are made from `deploy/`, and are kept in the repository for those who use them from there. */
import { join } from "node:path";
import { packageVersion } from "../build.ts";
import { chartTemplates, PLACEHOLDERS } from "./chart.ts";
import { render, renderOverlay } from "./render.ts";
import { shippedObjects } from "./shipped.ts";

const ORIGIN = "# Made from deploy/ by `make manifests`: change deploy/ instead.\n";
export const CHART_DIR = "charts/konductor";
export const SHIPPED = "src/cli/doctor/shipped.json";

/**
 * Content by path below `root`: install.yaml, what koncli knows of it, and the chart's templates and Chart.yaml. The rest of the chart is
 * written by hand.
 */
export async function installForms(root: string, kubectlPath: string): Promise<ReadonlyMap<string, string>> {
  const deployDir = join(root, "deploy");
  const version = await packageVersion(root);
  const renderWith = (...components: string[]) =>
    renderOverlay(kubectlPath, deployDir, { ...PLACEHOLDERS, components });
  const templates = chartTemplates({
    own: await renderWith(),
    issued: await renderWith("certs/cert-manager"),
    monitored: await renderWith("deploy/monitoring"),
  });
  const install = await render(kubectlPath, deployDir);
  return new Map([
    ["deploy/install.yaml", ORIGIN + install],
    [SHIPPED, shippedObjects(install)],
    [`${CHART_DIR}/Chart.yaml`, ORIGIN + chart(version)],
    ...[...templates].map(([name, text]) => [`${CHART_DIR}/templates/${name}`, ORIGIN + text] as const),
  ]);
}

function chart(version: string): string {
  return `apiVersion: v2
name: konductor
description: Pods that carry the same label run one at a time.
type: application
version: ${version}
appVersion: "${version}"
kubeVersion: ">=1.33.0-0"
keywords: [lock, mutex, lease, cronjob, job]
`;
}

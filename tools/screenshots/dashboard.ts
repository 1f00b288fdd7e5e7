import { waitFor } from "../../test/cluster/wait.ts";
import { koncli } from "../../test/integration/koncli.ts";
import { kubeconfigOf } from "./users.ts";

/** Whoever looks at the pictures sees what this user sees. */
const VIEWER = "alice@example.org";

/** `koncli dashboard -A`, until `signal`. */
export async function serveDashboard(
  kubeconfigPath: string,
  dir: string,
  signal: AbortSignal,
): Promise<{ url: string; ended: Promise<unknown> }> {
  let out = "";
  const kubeconfig = await kubeconfigOf(kubeconfigPath, VIEWER, dir);
  const ended = koncli(["--kubeconfig", kubeconfig, "dashboard", "-A", "--no-open"], {
    signal,
    out: (text) => {
      out += text;
    },
  });
  await waitFor({
    what: "koncli dashboard to print its address",
    withinMs: 30_000,
    holds: async () => /^http:\S+\n/.test(out),
  });
  return { url: out.trim(), ended };
}

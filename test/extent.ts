/** How many of the tests run: `make test` leaves out repetitions, and runs every scenario on one node only. */
import { userInfo } from "node:os";

type Env = Readonly<Record<string, string | undefined>>;

/** Set to `true` by the test command without `--all`. */
export const BRIEF = "KONDUCTOR_TEST_BRIEF";

export const isBrief = (env: Env) => env[BRIEF] === "true";

/** A kubelet needs root on Linux. */
export const canRunKubelet = () => process.platform === "linux" && userInfo().uid === 0;

import { afterAll, describe, test } from "vitest";
import { describeError } from "../../src/shared/errors.ts";
import { canRunKubelet, isBrief } from "../extent.ts";
import { type Environment, homeOf, type NodeKind, type Scenario } from "./environment.ts";
import { BOUND_MISSED } from "./figures.ts";
import { lockedTo } from "./locked.ts";
import { deletePods } from "./namespace.ts";
import { SCENARIOS } from "./scenarios.ts";
import { createSchedule, type Lock, PARTS, type Schedule } from "./schedule.ts";
import { withoutVariants } from "./variants.ts";

const DEFAULT_TIMEOUT_MS = 120_000;

export interface SuiteOptions {
  node: NodeKind;
  /** The variable KONDUCTOR_TEST_BRIEF decides how many scenarios run. */
  env: Readonly<Record<string, string | undefined>>;
  /** How many scenarios run at a time on one cluster. */
  width: number;
  /** So many further clusters, for the scenarios that lock a part of theirs: no other scenario has to wait for them. */
  apart: number;
  /** Default: those that belong to the node. */
  scenarios?: readonly Scenario[];
  start(): Promise<Environment>;
}

/** A cluster on which scenarios play; the first of them starts it. */
interface Ground {
  name: string;
  environment(): Promise<Environment>;
  stop(): Promise<void>;
}

/** Runs the scenarios of one node, side by side if they do not collide. Each timeout counts from the scenario's own start. */
export function scenarioSuite({ node, env, width, apart, scenarios, start }: SuiteOptions): void {
  const isHomeOnly = isBrief(env) && canRunKubelet();
  const played = isBrief(env) ? withoutVariants(SCENARIOS) : SCENARIOS;
  const isAtHome = (scenario: Scenario) => !isHomeOnly || scenario.looksBack || homeOf(scenario) === node;
  const chosen = scenarios ?? played.filter(isAtHome);
  const rank = ({ looksBack, locks = [] }: Scenario) => (looksBack ? 2 : locks.includes("machine") ? 1 : 0);
  const calm = openGround("calm", start);
  const others = Array.from({ length: apart }, (_, index) => openGround(`apart ${index + 1}`, start));
  const all = [calm, ...others];
  const isApart = ({ locks = [] }: Scenario) => apart > 0 && PARTS.some((part) => locks.includes(part));
  describe.concurrent(`on the ${node} node`, () => {
    const schedule = createSchedule({ width });
    afterAll(async () => {
      await Promise.all(all.map((ground) => ground.stop()));
    });
    for (const scenario of chosen.toSorted((a, b) => rank(a) - rank(b)))
      for (const grounds of scenario.looksBack
        ? all.map((each) => [each])
        : [isApart(scenario) ? others : [calm]])
        define(scenario, { node, schedule, grounds });
  });
}

function openGround(name: string, start: () => Promise<Environment>): Ground {
  let started: Promise<Environment> | undefined;
  return {
    name,
    environment() {
      started ??= start();
      return started;
    },
    async stop() {
      const environment = await started?.catch(() => undefined);
      await environment?.stop();
    },
  };
}

interface Place {
  node: NodeKind;
  schedule: Schedule;
  /** On one of them the scenario plays. */
  grounds: readonly Ground[];
}

function define(scenario: Scenario, { node, schedule, grounds }: Place): void {
  const { name, needsKubelet, looksBack, uses = PARTS } = scenario;
  const locks: readonly Lock[] = looksBack ? ["machine"] : (scenario.locks ?? []);
  const title = looksBack ? `${name} (${grounds[0]?.name})` : name;
  test(title, { timeout: 0, retry: { count: 2, condition: BOUND_MISSED } }, async (context) => {
    if (needsKubelet && node === "process") return context.skip(`needs a kubelet: ${needsKubelet}`);
    const claim = { grounds: grounds.map((each) => each.name), locks, uses };
    await schedule.run(claim, async (found) => {
      const environment = await grounds.find((each) => each.name === found)?.environment();
      if (!environment) throw new Error(`there is no cluster ${found}`);
      context.onTestFailed(async ({ task }) => {
        const why = task.result?.errors?.map(({ message }) => message).join("; ");
        const logs = await environment.konductor.logs().catch(String);
        process.stderr.write(`--- konductor, after "${name}" failed: ${why}\n${logs}\n`);
      });
      await runInTime(scenario, environment);
    });
  });
}

async function runInTime(
  { name, locks = [], timeoutMs = DEFAULT_TIMEOUT_MS, run }: Scenario,
  environment: Environment,
): Promise<void> {
  const beganMs = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`took longer than ${timeoutMs / 1_000} s`)), timeoutMs);
  });
  const namespaces: string[] = [];
  try {
    const own: Environment = {
      ...lockedTo(environment, locks),
      report: (figure) => environment.report({ ...figure, scenario: name }),
      async createNamespace() {
        const namespace = await environment.createNamespace();
        namespaces.push(namespace);
        return namespace;
      },
    };
    await Promise.race([run(own), late]);
  } catch (error) {
    for (const namespace of namespaces)
      process.stderr.write(
        `--- namespace ${namespace} of "${name}":\n${await whatIsThere(environment, namespace)}\n`,
      );
    throw error;
  } finally {
    clearTimeout(timer);
    // The kubelet keeps looking at finished pods, and the pods of a failed scenario would run on.
    for (const namespace of namespaces)
      await deletePods(environment.client, namespace).catch(() => undefined);
    const seconds = Math.round((performance.now() - beganMs) / 1_000);
    process.stderr.write(`${environment.node} node: ${seconds} s: ${name}\n`);
  }
}

/** The pods of a failed scenario, and the cluster's events about them. */
async function whatIsThere({ kubectl }: Environment, namespace: string): Promise<string> {
  const get = (...args: string[]) =>
    kubectl("-n", namespace, "get", ...args).catch((error: unknown) => describeError(error));
  const pods = await get("pods", "--output=wide");
  return `${pods}\n${await get("events", "--sort-by=.metadata.creationTimestamp")}`;
}

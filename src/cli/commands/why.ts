import { type Command, InvalidArgumentError } from "commander";
import { heldBack } from "../../lease/policies/held-back.ts";
import { isoTime } from "../../shared/times.ts";
import { type CommandContext, isObjectOutput, type RunAction } from "../cli-context.ts";
import { formatObject } from "../format-object.ts";
import { ifKnown } from "../known.ts";
import { printable } from "../printable.ts";
import { explain } from "../why/explain.ts";
import type { Explanation } from "../why/explanation.ts";
import type { Facts } from "../why/facts.ts";
import { readFacts, type SubjectName } from "../why/read-facts.ts";

/** `koncli lease why POD|JOB`: what it waits for, or why it does not wait. */
export function registerWhy(lease: Command, run: RunAction): void {
  lease
    .command("why")
    .argument("<workload>", "a pod or a Job: NAME, pod/NAME or job/NAME", subjectName)
    .description("say why a pod or a Job waits, behind whom, and what can be done")
    .addHelpText(
      "after",
      "\nExamples:\n  koncli lease why report-x7k2p\n  koncli lease why job/report -n shop\n  koncli lease why job/report -o json",
    )
    .action(async (named: SubjectName, _: object, command: Command) => {
      await run(command, (context) => why(context, named));
    });
}

/** As kubectl names kinds. */
const KINDS: Readonly<Record<string, NonNullable<SubjectName["kind"]>>> = {
  ...{ po: "Pod", pod: "Pod", pods: "Pod" },
  ...{ job: "Job", jobs: "Job", "job.batch": "Job", "jobs.batch": "Job" },
};
const OBJECT_NAME = /^(?=.{1,253}$)[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/;

function subjectName(value: string): SubjectName {
  const [first = "", second, ...more] = value.split("/");
  const kind = second === undefined ? undefined : KINDS[first.toLowerCase()];
  const name = second ?? first;
  if ((second !== undefined && !kind) || more.length > 0 || !OBJECT_NAME.test(name)) {
    throw new InvalidArgumentError(
      "the name of a pod or a Job is allowed, as in report-x7k2p, pod/report-x7k2p or job/report",
    );
  }
  return { kind, name };
}

async function why({ cluster, server, output, print }: CommandContext, named: SubjectName): Promise<void> {
  const facts = await readFacts({ ...cluster, server }, named);
  const explanation = explain(facts);
  print(
    isObjectOutput(output)
      ? formatObject(objectOf(facts, explanation), output)
      : `${paragraph(explanation)}\n`,
  );
}

function paragraph({ sentences }: Explanation): string {
  return printable(sentences.join(" "));
}

/** What `-o json` prints. */
function objectOf(facts: Facts, explanation: Explanation): object {
  const { subject, namespace } = facts;
  const { state, lease, place } = explanation;
  const klease = ifKnown(facts.lease);
  const hold = klease?.status.hold;
  const rule = klease && heldBack(klease, facts.nowMs);
  return {
    ...identityOf(subject),
    namespace,
    state,
    ...(lease !== undefined && { lease }),
    ...(place && {
      position: place.position,
      waiters: place.of,
      ahead: place.ahead.map(({ spec }) => spec.holder),
    }),
    ...(hold && {
      holder: {
        kind: hold.ref.kind,
        name: hold.holder,
        ...(hold.ref.node !== undefined && { node: hold.ref.node }),
        acquired: isoTime(hold.acquiredMs),
        renewed: isoTime(hold.expiresMs - hold.ttlMs),
        expires: isoTime(hold.expiresMs),
        token: hold.token,
      },
    }),
    ...(rule && { heldBack: rule.rule }),
    message: paragraph(explanation),
  };
}

function identityOf(subject: Facts["subject"]): { kind?: string; name: string } {
  switch (subject.kind) {
    case "Pod":
      return { kind: "Pod", name: subject.pod.name };
    case "Job":
      return { kind: "Job", name: subject.job.name };
    case "Hidden": {
      const kind = subject.request?.spec.ref?.kind;
      return { ...(kind && { kind }), name: subject.name };
    }
  }
}

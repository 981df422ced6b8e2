// Parents, children that continue as new, and a run that all of them report to.

import { defineSignal, executeChild, externalRun, sleep, step, workflow, workflowInfo } from "everstep";

export const report = defineSignal<string>("report");

export const CHILDREN = 4;

interface Part {
  readonly family: string;
  readonly child: number;
  readonly round: number;
}

/** Two rounds, each in a run of its own. */
export const part = workflow("part", async ({ family, child, round }: Part): Promise<string> => {
  await step("work", () => new Promise((resolve) => setTimeout(resolve, 20)));
  await sleep(30);
  if (round === 0) return part.continueAsNew({ family, child, round: 1 });
  await externalRun("ledger").signal(report, `${family}/${child}`);
  return `${child} of ${workflowInfo().parent?.workflowId}`;
});

export const family = workflow("family", async (name: string) => {
  const children = Array.from({ length: CHILDREN }, (_, child) =>
    executeChild(part, { input: { family: name, child, round: 0 }, id: `${name}/${child}` }),
  );
  return Promise.all(children);
});

/** Takes a few reports per run, and hands on what it has. */
export const ledger = workflow(
  "ledger",
  async (state: { readonly kept: string[]; readonly expected: number }): Promise<string[]> => {
    const { expected } = state;
    const kept = [...state.kept];
    for (let taken = 0; taken < 7 && kept.length < expected; taken++) kept.push(await report.receive());
    return kept.length < expected ? ledger.continueAsNew({ kept, expected }) : kept;
  },
);

// Requests that are answered: accepted, refused, failed, in line with signals, and held to a schema.

import { allHandlersFinished, condition, defineSignal, defineUpdate, sleep, step } from "everstep";
import { z } from "zod";
import { type Scenario, scenario } from "../../support/three-modes.ts";

const add = defineUpdate("add", { input: z.number(), output: z.number() });
const note = defineSignal<string>("note");
const end = defineSignal("end");

async function sums() {
  const seen: string[] = [];
  let sum = 0;
  let isEnded = false;
  add.handle(
    async (number) => {
      seen.push(`add ${number}`);
      await sleep("1h");
      sum += await step("weigh", () => number * 10);
      if (number > 5) throw new RangeError(`${number} is too heavy`);
      return sum;
    },
    {
      validate: (number) => {
        if (number < 0) throw new RangeError("below nothing");
      },
    },
  );
  note.handle((text) => void seen.push(text));
  end.handle(() => {
    isEnded = true;
  });
  await condition(() => isEnded);
  await condition(allHandlersFinished);
  return [...seen, sum];
}

/** The code with which it is refused or fails. */
async function codeOf(update: Promise<unknown>): Promise<unknown> {
  return update.then(
    () => "answered",
    (error: { code?: unknown }) => error.code,
  );
}

export const updates: readonly Scenario[] = [
  scenario(
    "updates that are taken, refused and failed, between signals",
    sums,
    { result: ["add 1", "first", "add 6", "second", 70] },
    {
      script: async (run, env) => {
        if ((await run.update(add, 1, { updateId: "one" })) !== 10) throw new Error("the first is answered otherwise");
        await run.signal(note, "first", { signalId: "first" });
        await env.advance(0);
        if ((await codeOf(run.update(add, -1, { updateId: "less" }))) !== "UPDATE_REJECTED")
          throw new Error("it is taken");
        if ((await codeOf(run.update(add, "2" as never))) !== "ARGUMENT_INVALID") throw new Error("it is stored");
        if ((await codeOf(run.update(add, 6, { updateId: "six" }))) !== "UPDATE_FAILED")
          throw new Error("it does not fail");
        await run.signal(note, "second", { signalId: "second" });
        await run.signal(end, undefined, { signalId: "end" });
      },
    },
  ),
  scenario(
    "an update with the start",
    sums,
    { result: ["add 3", 30] },
    {
      start: async ({ env, workflow }) => {
        const { run, update } = await env.client.updateWithStart(workflow, { update: add, updateInput: 3 });
        if ((await update.result()) !== 30) throw new Error("it is answered otherwise");
        return run;
      },
      script: (run) => run.signal(end, undefined, { signalId: "end" }),
    },
  ),
];

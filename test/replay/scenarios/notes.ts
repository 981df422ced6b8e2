// What a run says to people: notes between everything else, and details, which leave nothing behind.

import { defineSignal, note, setCurrentDetails, sleep, step } from "everstep";
import { type Scenario, scenario } from "../../support/three-modes.ts";

const go = defineSignal("go");

export const notes: readonly Scenario[] = [
  scenario(
    "notes before, between and after waits",
    async () => {
      note("begun");
      await step("one", () => 1);
      note("warn", "slow");
      await sleep("1 day");
      note("woken");
      setCurrentDetails("nearly done");
      return "said";
    },
    { result: "said" },
  ),
  scenario(
    "notes of branches side by side, and of a signal's handler",
    async () => {
      go.handle(() => note("told to go"));
      const branch = async (name: string, hours: number) => {
        note(`${name} begins`);
        await sleep(hours * 3_600_000);
        note("error", `${name} ends`);
      };
      await Promise.all([branch("left", 2), branch("right", 1)]);
    },
    { result: undefined },
    {
      script: async (run, env) => {
        await env.advance("30m");
        await run.signal(go);
      },
    },
  ),
  scenario(
    "steps and sleeps with summaries, and a step that is tried again",
    async () => {
      await step("one", () => 1, { summary: "the first" });
      await sleep("1 day", { summary: "till tomorrow" });
      const flaky = ({ attempt }: { readonly attempt: number }) => {
        if (attempt === 1) throw new Error("not yet");
        return attempt;
      };
      return step("flaky", flaky, { summary: "the second", retry: { jitter: 0 } });
    },
    { result: 2 },
  ),
  scenario(
    "a note of a run that is canceled",
    async () => {
      try {
        await sleep("1 day");
      } finally {
        note("error", "not today");
      }
    },
    { status: "RunCanceled", because: "enough" },
    { script: (run) => run.cancel("enough") },
  ),
];

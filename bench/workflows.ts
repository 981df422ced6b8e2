// Workflows that more than one process or scenario runs.

import { step, workflow } from "everstep";

const TEXT = "x".repeat(80);

/** Sequential steps that return about 100 bytes each. */
export const steps = workflow("steps", async (count: number) => {
  let total = 0;
  for (let index = 0; index < count; index++) {
    const { value } = await step("step", () => ({ value: index, text: TEXT }));
    total += value;
  }
  return total;
});

let watch: (index: number) => void = () => {};

/** Tells this process, from now on, of each body of a step of `watched` that runs in it. */
export function watchSteps(listen: (index: number) => void): void {
  watch = listen;
}

export const watched = workflow("watched", async (count: number) => {
  let total = 0;
  for (let index = 0; index < count; index++) {
    const { value } = await step("step", () => {
      watch(index);
      return { value: index, text: TEXT };
    });
    total += value;
  }
  return total;
});

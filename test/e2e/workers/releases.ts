// One workflow, in the versions of its releases: which of them a process has is said by the file that it is given.

import { defineSignal, step, type Workflow, workflow } from "everstep";

export const go = defineSignal("go");

export function release(version: string): Workflow<undefined, readonly string[]> {
  const main = async () => {
    const first = await step("first", () => version);
    await go.receive();
    return [first, await step("second", () => version)];
  };
  return workflow("release", main, { version });
}

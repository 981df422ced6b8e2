// What authors of tests import as "everstep/testing/vitest": importing it teaches vitest's `expect` to look at runs.

import { expect } from "vitest";
import { type RunMatchers, runMatchers } from "./matchers.ts";

export type { ExpectedEvent, ExpectedStep, ExpectedWait, RunMatchers, Wait } from "./matchers.ts";

declare module "vitest" {
  interface Matchers<T> extends RunMatchers<T> {}
}

expect.extend(runMatchers);

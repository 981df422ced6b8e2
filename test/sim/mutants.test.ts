// An oracle that has never found anything proves nothing: each planted defect has to be found, within 500 seeds.

import { describe, expect, test } from "vitest";
import { MUTANTS } from "./mutants.ts";
import { runMain } from "./run-main.ts";

describe("a store, a clock or a setting with a planted defect is found out", { concurrent: true }, () => {
  test.for(Object.entries(MUTANTS))("%s", async ([name, { does }], { signal }) => {
    const { code, output } = await runMain(signal, "--seeds", "500", "--mutant", name);
    expect(code, `It ${does}, and nothing was found in 500 seeds.\n${output}`).toBe(1);
    expect(output).toContain(`again: npm run sim -- --seed `);
  });
});

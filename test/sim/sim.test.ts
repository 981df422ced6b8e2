// The shipped worker and front door under a fixed range of seeds. More seeds: `npm run sim -- --seeds 10000 --from 1`.

import { expect, test } from "vitest";
import { runMain } from "./run-main.ts";

test("every promise is kept under 500 seeds of faults", async ({ signal }) => {
  const { code, output } = await runMain(signal, "--seeds", "500");
  expect(code, output).toBe(0);
  expect(output).toContain("500 seeds from 1");
  expect(output).toContain(" 0 violating seeds");
});

test("the same seed gives the same trace, event by event", async ({ signal }) => {
  const { code, output } = await runMain(signal, "--seeds", "60", "--from", "5000", "--twice");
  expect(code, output).toBe(0);
});

test("seeds that once found a defect find none any more", async ({ signal }) => {
  const { code, output } = await runMain(signal, "--regressions");
  expect(code, output).toBe(0);
});

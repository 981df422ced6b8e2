// npm run sim -- --seeds 1000 [--from 1] [--twice] [--mutant NAME]
// npm run sim -- --seed 42 [--trace] [--parts none|NAME,NAME]
// npm run sim -- --regressions
//
// Runs the real worker and the real front door under seeds. Ends with a code other than 0 when a promise was broken, and
// says how to see it again.

import { parseArgs } from "node:util";
import { installGuards } from "../../runtime/worker/guards/install.ts";
import { MUTANTS } from "./mutants.ts";
import { PARTS, readParts } from "./parts.ts";
import { Probes, SOMETIMES } from "./probes.ts";
import regressions from "./regressions.json" with { type: "json" };
import { watchRejections } from "./rejections.ts";
import { simulate } from "./simulation.ts";

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "1000" },
    from: { type: "string", default: "1" },
    seed: { type: "string" },
    regressions: { type: "boolean", default: false },
    mutant: { type: "string" },
    trace: { type: "boolean", default: false },
    twice: { type: "boolean", default: false },
    parts: { type: "string" },
  },
});

installGuards();
const rejections = watchRejections();

const from = Number(values.seed ?? values.from);
const count = values.seed === undefined ? Number(values.seeds) : 1;
// Seeds that found something are kept as they were when they did.
const seeds: readonly { readonly seed: number; readonly parts?: string }[] = values.regressions
  ? regressions
  : Array.from({ length: count }, (_, n) => ({ seed: from + n }));
const mutant = values.mutant === undefined ? undefined : MUTANTS[values.mutant];
if (values.mutant !== undefined && mutant === undefined) {
  console.error(`No mutant ${values.mutant}. There are: ${Object.keys(MUTANTS).join(", ")}.`);
  process.exit(2);
}
const asked = values.parts === undefined ? undefined : readParts(values.parts);
if (values.parts !== undefined && asked === undefined) {
  console.error(`No parts ${values.parts}. There are: none, ${PARTS.join(", ")}.`);
  process.exit(2);
}
const trace = values.trace ? (line: string) => console.log(line) : undefined;
const probes = new Probes();
const totals = { runs: 0, events: 0, longestMs: 0 };
let failed = 0;
let tried = 0;
const began = performance.now();

for (const { seed, parts: kept } of seeds) {
  const parts = kept === undefined ? asked : readParts(kept);
  const result = await simulate(seed, { mutant, trace, parts });
  tried++;
  const violations = [...result.violations, ...rejections.take()];
  if (values.twice) {
    const again = await simulate(seed, { mutant, parts });
    rejections.take();
    if (again.hash !== result.hash) violations.push(`not deterministic: ${result.hash}, then ${again.hash}`);
  }
  probes.add(result.probes);
  totals.runs += result.runs;
  totals.events += result.events;
  totals.longestMs = Math.max(totals.longestMs, result.virtualMs);
  if (violations.length === 0) continue;
  failed++;
  if (failed <= 5) {
    console.log(`seed ${seed}:`);
    for (const violation of violations) console.log(`  ${violation.slice(0, values.trace ? 5_000 : 600)}`);
    const only = values.parts === undefined ? "" : ` --parts ${values.parts}`;
    const broken = values.mutant === undefined ? "" : ` --mutant ${values.mutant}`;
    console.log(`  again: npm run sim -- --seed ${seed}${only}${broken} --trace`);
  }
  if (mutant !== undefined) break;
}

const seconds = (performance.now() - began) / 1_000;
console.log(
  `${tried} seeds from ${seeds[0]?.seed} in ${seconds.toFixed(1)} s (${(tried / seconds).toFixed(0)}/s): ${totals.runs} runs, ${totals.events} events, longest ${(totals.longestMs / 1_000).toFixed(1)} virtual s, ${failed} violating seeds`,
);
const width = 45;
for (const [name, times] of [...probes.counts].sort()) console.log(`  ${name.padEnd(width)} ${times}`);
const never = SOMETIMES.filter((name) => !probes.counts.has(name));
if (never.length > 0 && tried >= 1_000 && mutant === undefined) {
  console.log(`Never happened: ${never.join(", ")}. What never happens is not tested.`);
  failed++;
}
process.exitCode = failed === 0 ? 0 : 1;

// Runs one scenario with one engine in a process of its own, so that nobody's globals or patches meet another's, and
// sends the figures to the parent. The clock is read here, beside the work: what passes between processes costs nobody.

import type { Engine, Figure } from "../scenario.ts";
import { SCENARIOS } from "../scenarios/all.ts";

export interface Assignment {
  readonly module: string;
  readonly scenario: string;
  readonly databaseUrl: string;
  readonly redisUrl: string | undefined;
  readonly factor: number;
}

export type Outcome =
  | { readonly type: "figures"; readonly figures: readonly Figure[]; readonly missing: readonly string[] }
  | { readonly type: "unable"; readonly reason: string };

interface EngineModule {
  /** Why this engine cannot run here at all, if so. */
  readonly obstacle?: () => string | undefined;
  readonly default: (connection: { databaseUrl: string; redisUrl: string | undefined }) => Engine;
}

/** Of what is short, in one process: the first finds code that no compiler has seen yet, and means little for any engine. */
const ROUNDS = 3;

// The loader turns source maps on, which makes every stack trace dearer: engines that take many would pay for it.
process.setSourceMapsEnabled(false);

async function main(assignment: Assignment): Promise<Outcome> {
  const scenario = SCENARIOS.find(({ name }) => name === assignment.scenario);
  if (scenario === undefined) throw new Error(`There is no scenario ${assignment.scenario}.`);
  const module = (await import(assignment.module)) as EngineModule;
  const obstacle = module.obstacle?.();
  if (obstacle !== undefined) return { type: "unable", reason: obstacle };
  const engine = module.default(assignment);
  const reason = engine.unable?.[scenario.name];
  if (reason !== undefined) return { type: "unable", reason };
  await engine.start();
  const figures = await scenario.run(engine, { factor: assignment.factor, rounds: ROUNDS });
  await engine.stop();
  return { type: "figures", figures, missing: missingParts(engine, scenario.name, assignment.factor) };
}

/** What this engine leaves out where others have a figure. The long and wide parts are run at full size only. */
function missingParts(engine: Engine, scenario: string, factor: number): string[] {
  if (scenario === "sequential" && factor >= 1 && engine.unable?.long !== undefined) return [engine.unable.long];
  if (scenario === "fan-out" && factor >= 1 && engine.unable?.wide !== undefined) return [engine.unable.wide];
  if (scenario === "starts" && engine.startBatch === undefined) return ["no public way to start in batches"];
  return [];
}

process.send?.(await main(JSON.parse(process.argv[2] ?? "{}") as Assignment), () => process.exit(0));

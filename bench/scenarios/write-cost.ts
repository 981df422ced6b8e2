// What a run makes Postgres do, counted on a server of its own whose counts nothing else disturbs. The same counts have
// ceilings in test/e2e/counts.test.ts; here the built package is counted.

import { costsOfRuns, type Load } from "../../test/support/run-cost.ts";
import { startCountingPostgres } from "../../test/support/write-counts.ts";
import { round } from "../measure.ts";
import type { Figure, OwnScenario } from "../scenario.ts";

const STEPS = 10;
const ALONE: Load = { runs: 100, steps: STEPS, atOnce: false };
const LOADED: Load = { runs: 1_000, steps: STEPS, atOnce: true };

const MOST_WAL_KB = 6.5;
const MOST_ROWS = 14;
const MOST_STATEMENTS_PER_STEP = { alone: 2, "under load": 0.05 };

export const writeCost: OwnScenario = {
  name: "write-cost",
  title: `what a run of ${STEPS} steps makes Postgres do, alone and ${LOADED.runs} at once`,
  async run() {
    const server = await startCountingPostgres();
    try {
      const [alone, loaded] = await costsOfRuns(server, [ALONE, LOADED], []);
      if (alone === undefined || loaded === undefined) throw new Error("A load was not counted.");
      return (["alone", "under load"] as const).flatMap((which): Figure[] => {
        const cost = which === "alone" ? alone : loaded;
        const name = (what: string) => `${which}: ${what}`;
        return [
          {
            name: name("statements per step"),
            value: round(cost.statements / STEPS, 4),
            unit: "",
            bar: { atMost: MOST_STATEMENTS_PER_STEP[which] },
          },
          { name: name("round trips per step"), value: round(cost.roundTrips / STEPS, 4), unit: "" },
          { name: name("transactions per step"), value: round(cost.transactions / STEPS, 4), unit: "" },
          { name: name("rows inserted"), value: round(cost.inserted), unit: "", bar: { atMost: MOST_ROWS } },
          { name: name("rows updated"), value: round(cost.updated), unit: "" },
          {
            name: name("of these touching no index"),
            value: round((100 * cost.hotUpdated) / cost.updated, 1),
            unit: "%",
          },
          { name: name("WAL"), value: round(cost.walBytes / 1_000), unit: "kB", bar: { atMost: MOST_WAL_KB } },
          { name: name("allocated by the worker"), value: round(cost.allocatedBytes / 1_000, 0), unit: "kB" },
        ];
      });
    } finally {
      await server.remove();
    }
  },
};

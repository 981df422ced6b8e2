// An entity whose state is the list of the operations that changed it: whatever is lost, doubled, overtaken or half done shows
// in it. Each operation answers with the whole list, itself at the end.

import { endEntity, entity, sleep, step } from "everstep";
import { pause } from "../../runtime/world/pause.ts";
import type { StepWorld } from "./workflow-of.ts";

export interface Entry {
  readonly id: string;
  readonly steps: number;
  readonly stepMs: number;
  readonly sleepMs: number;
  /** What it has changed by then must be undone. */
  readonly fails: boolean;
  /** So much text that a few of them make a history long. */
  readonly ballast: string;
}

interface Ledger {
  readonly entries: string[];
}

export const LEDGER = "ledger";

export function ledgerOf(world: StepWorld) {
  const perform = async ({ entries }: Ledger, entry: Entry): Promise<readonly string[]> => {
    entries.push(entry.id);
    for (let made = 0; made < entry.steps; made++) {
      await step(`work of ${entry.id}`, async (context) => {
        const result = world.begin(context);
        if (entry.stepMs > 0) await pause(world.clock, entry.stepMs);
        return result;
      });
    }
    if (entry.sleepMs > 0) await sleep(entry.sleepMs);
    if (entry.fails) throw new Error(`${entry.id} fails`);
    return [...entries];
  };
  return entity(LEDGER, {
    initial: (): Ledger => ({ entries: [] }),
    operations: {
      record: perform,
      end: async (state, entry: Entry) => {
        endEntity();
        return perform(state, entry);
      },
    },
    views: { entries: ({ entries }) => entries },
  });
}

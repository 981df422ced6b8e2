// Somebody resets, retries and forks the runs of families: parents with children under way, children that are waited for, in the
// middle of everything else.

import type { ForkCall } from "../../sdk/client/front-door.ts";
import { isEverstepError } from "../../sdk/protocol/errors.ts";
import type { Caller } from "./caller.ts";
import type { Dice } from "./dice.ts";
import type { Probes } from "./probes.ts";

export interface FamilyForksOptions {
  readonly caller: Caller;
  readonly dice: Dice;
  readonly probes: Probes;
  /** All runs of families that there are by now. */
  readonly families: () => readonly { readonly runId: string; readonly workflow: string }[];
}

/** What cannot be forked, or not there, or is in nobody's place any more. */
const REFUSALS = ["ARGUMENT_INVALID", "RUN_ALREADY_STARTED", "RUN_NOT_FOUND"] as const;

export function forkFamilies(options: FamilyForksOptions): void {
  const { caller, dice } = options;
  for (let fork = dice.int(1, 6); fork > 0; fork--) caller.task(() => forkOne(options, fork));
}

async function forkOne({ caller, dice, probes, families }: FamilyForksOptions, fork: number): Promise<void> {
  await caller.sleep(7_000, dice);
  const runs = families();
  const run = runs[dice.int(0, Math.max(0, runs.length - 1))];
  if (run === undefined) return;
  // A fork of a child beside it would be nobody's: it may never end.
  const how = dice.pick(isParent(run.workflow) ? (["reset", "retry", "fork"] as const) : (["reset", "retry"] as const));
  const call: ForkCall = {
    at: dice.hits(0.4) ? null : dice.int(1, 9),
    beforeStep: how === "retry" ? { name: null } : null,
    workflowId: how === "fork" ? `cousin-${fork}` : null,
    input: null,
    result: null,
    keepsSignals: true,
    replaces: how !== "fork",
    bulkId: null,
  };
  try {
    await caller.insist(() => caller.service.fork({ runId: run.runId }, call));
    probes.hit(`family fork: ${how} of a ${isParent(run.workflow) ? "parent" : "child"}`);
  } catch (error) {
    if (!REFUSALS.some((code) => isEverstepError(error, code))) throw error;
    probes.hit("family fork: refused");
  }
}

export function isParent(workflow: string): boolean {
  return workflow.startsWith("f");
}

// How a run is named to a store, for whoever is told of it.

import type { RunRef } from "./store.ts";

/** The id in it. */
export function idIn(ref: RunRef): string {
  if ("runId" in ref) return ref.runId;
  if ("workflowId" in ref) return ref.workflowId;
  return "chainOf" in ref ? ref.chainOf : ref.lineOf;
}

// How a run is named to a store, for whoever is told of it.

/**
 * One run; the open run of a workflow id, else the latest; the latest of the chain that a run belongs to; the latest of its
 * line, which goes on where a fork was put in the place of the last run of a chain.
 */
export type RunRef =
  | { readonly runId: string }
  | { readonly workflowId: string }
  | { readonly chainOf: string }
  | { readonly lineOf: string };

/** The id in it. */
export function idIn(ref: RunRef): string {
  if ("runId" in ref) return ref.runId;
  if ("workflowId" in ref) return ref.workflowId;
  return "chainOf" in ref ? ref.chainOf : ref.lineOf;
}

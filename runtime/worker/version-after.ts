// Which version a run goes on with that continues as new. By default it is its own, and then it is left to the store: the run may
// have been moved without having heard of it.

import { BY_POLICY } from "../../sdk/protocol/versions.ts";
import type { NextRun } from "../../sdk/workflow/continue-as-new.ts";
import type { ClaimedRun } from "../store/claims.ts";
import type { Successor } from "../store/turns.ts";

export function versionAfter(
  facts: Pick<ClaimedRun, "workflow" | "workflowId" | "version">,
  // A definition may come from another copy of the package, which knew of no versions.
  { workflow, version = null, ownVersion = null }: Partial<NextRun>,
): Pick<Successor, "version"> {
  const { workflowId } = facts;
  const isSame = workflow === facts.workflow;
  const own = isSame ? facts.version : ownVersion;
  if (version !== null) return { version: { ask: { own, asked: version }, workflowId } };
  if (isSame) return {};
  return { version: own === null ? { exactly: null } : { ask: { own, asked: BY_POLICY }, workflowId } };
}

// What a worker is given to execute: at least one workflow, each of them one, no two of a name.

import { EverstepError } from "../../sdk/protocol/errors.ts";
import type { AnyWorkflow } from "../../sdk/workflow/workflow.ts";

/** Throws CONFIGURATION_INVALID. */
export function checkedWorkflows(workflows: readonly AnyWorkflow[]): readonly AnyWorkflow[] {
  if (!Array.isArray(workflows) || workflows.length === 0) {
    throw new EverstepError(
      "CONFIGURATION_INVALID",
      "A worker needs at least one workflow: pass `workflows: [yourWorkflow]`.",
    );
  }
  const names = new Set<string>();
  for (const workflow of workflows as readonly AnyWorkflow[]) {
    if (typeof workflow?.main !== "function" || typeof workflow.name !== "string") {
      throw new EverstepError("CONFIGURATION_INVALID", "`workflows` takes what `workflow(name, main)` returns.");
    }
    if (names.has(workflow.name)) {
      const message = `Two workflows are named "${workflow.name}". Runs find their code by name: rename one.`;
      throw new EverstepError("CONFIGURATION_INVALID", message, { details: { workflow: workflow.name } });
    }
    names.add(workflow.name);
  }
  return workflows;
}

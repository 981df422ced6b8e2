// What a worker is given to execute: at least one workflow, each of them one, no two of a name and version.

import { EverstepError } from "../../sdk/protocol/errors.ts";
import type { AnyWorkflow } from "../../sdk/workflow/workflow.ts";
import { codeKey } from "./code.ts";

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
    const { name, version } = workflow;
    const key = codeKey(name, version ?? null);
    if (names.has(key)) {
      const which = version === undefined ? "" : ` and of version ${version}`;
      const message = `Two workflows are named "${name}"${which}. Runs find their code by name and version: rename one, or give it another version.`;
      throw new EverstepError("CONFIGURATION_INVALID", message, { details: { workflow: name, version } });
    }
    names.add(key);
  }
  return workflows;
}

// Finds the workflows in the files named on the command line: whatever a module exports that `workflow()` or `entity()` made.

import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import type { AnyEntity } from "../../sdk/workflow/entity.ts";
import type { AnyWorkflow } from "../../sdk/workflow/workflow.ts";

/** Throws CONFIGURATION_INVALID when a file is not there, cannot be read by this Node, or exports no workflow. */
export async function importWorkflows(files: readonly string[]): Promise<AnyWorkflow[]> {
  const found = new Set<AnyWorkflow>();
  for (const file of files) {
    const workflows = Object.values(await importModule(file)).flatMap(workflowIn);
    if (workflows.length === 0) {
      throw invalid(
        file,
        `${file} exports no workflow. Export what workflow() or entity() returns: export const hello = workflow("hello", …).`,
      );
    }
    for (const workflow of workflows) found.add(workflow);
  }
  return [...found];
}

/** Throws CONFIGURATION_INVALID when the file is not there, or this Node cannot read it. */
export async function importModule(file: string): Promise<Record<string, unknown>> {
  const path = resolve(file);
  if (!existsSync(path)) throw invalid(file, `There is no file ${path}.`);
  try {
    return (await import(pathToFileURL(path).href)) as Record<string, unknown>;
  } catch (error) {
    const isUnknown = error instanceof Error && "code" in error && error.code === "ERR_UNKNOWN_FILE_EXTENSION";
    if (!isUnknown) throw error;
    const message =
      `This Node (${process.versions.node}) cannot read TypeScript by itself. Install tsx (npm install --save-dev tsx) ` +
      `and start the same command with NODE_OPTIONS="--import tsx", or name the compiled file instead of ${file}.`;
    throw invalid(file, message);
  }
}

/** A workflow, or that of an entity. */
function workflowIn(value: unknown): AnyWorkflow[] {
  if (isWorkflow(value)) return [value];
  const { workflow, operations } = (value ?? {}) as Partial<AnyEntity>;
  return operations !== undefined && isWorkflow(workflow) ? [workflow] : [];
}

// By shape: the file's "everstep" may be another copy of the package than ours.
function isWorkflow(value: unknown): value is AnyWorkflow {
  if (typeof value !== "object" || value === null) return false;
  const { name, main, timeoutMs } = value as Partial<AnyWorkflow>;
  return typeof name === "string" && typeof main === "function" && timeoutMs !== undefined;
}

function invalid(file: string, message: string): EverstepError {
  return new EverstepError("CONFIGURATION_INVALID", message, { details: { file } });
}

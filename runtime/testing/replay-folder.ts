// Replays a folder of kept histories, each against the workflow it is one of.

import { AssertionError } from "node:assert";
import { readdir, readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import type { AnyWorkflow } from "../../sdk/workflow/workflow.ts";
import { Code } from "../worker/code.ts";
import { readHistory } from "./recorded-history.ts";
import { replayEveryPrefix } from "./replay-every-prefix.ts";
import { replayHistory } from "./replay-history.ts";

export interface ReplayFolderOptions {
  /** What the names of history files end with. Default ".history.json". */
  readonly suffix?: string;
  /** Replays each history as far as each of its events as well: see `replayEveryPrefix`. Default false. */
  readonly everyPrefix?: boolean;
}

/**
 * Replays every history in the folder and in those below it, each against the workflow of its name and version. Resolves, with the
 * files in order, when the code fits them all.
 *
 * Rejects with an `AssertionError` that says of each file why it does not fit; its `cause` holds the errors. Throws
 * ARGUMENT_INVALID when there is no history in the folder, or no folder.
 */
export async function replayFolder(
  workflows: readonly AnyWorkflow[],
  folder: string | URL,
  { suffix = ".history.json", everyPrefix = false }: ReplayFolderOptions = {},
): Promise<string[]> {
  const root = typeof folder === "string" ? folder : fileURLToPath(folder);
  const files = await filesIn(root, suffix);
  const code = new Code(workflows);
  const failures: { readonly file: string; readonly error: unknown }[] = [];
  for (const file of files) {
    try {
      const text = await readFile(file, "utf8");
      const workflow = workflowOf(text, code);
      await (everyPrefix ? replayEveryPrefix(workflow, text) : replayHistory(workflow, text));
    } catch (error) {
      failures.push({ file, error });
    }
  }
  if (failures.length === 0) return files;
  const lines = failures.map(({ file, error }) => `  ${relative(root, file)}: ${messageOf(error)}`);
  const message = `${failures.length} of ${files.length} histories in ${root} do not fit this code:\n${lines.join("\n")}`;
  const cause = new AggregateError(failures.map(({ error }) => error));
  throw Object.assign(new AssertionError({ message, operator: "replayFolder" }), { cause });
}

async function filesIn(root: string, suffix: string): Promise<string[]> {
  const invalid = (why: string, cause?: unknown) =>
    new EverstepError("ARGUMENT_INVALID", `replayFolder(workflows, folder): ${why}`, {
      details: { argument: "folder" },
      cause,
    });
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch((error: unknown) => {
    throw invalid(`${root} cannot be read (${messageOf(error)}).`, error);
  });
  const files = entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(suffix))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  if (files.length === 0) throw invalid(`there is no file in ${root} whose name ends with "${suffix}".`);
  return files;
}

function workflowOf(text: string, code: Code): AnyWorkflow {
  const { workflow: name, version } = readHistory(text);
  const workflow = code.get({ workflow: name, version });
  if (workflow !== undefined) return workflow;
  const what = version === null ? `workflow "${name}"` : `version ${version} of workflow "${name}"`;
  throw new EverstepError(
    "WORKFLOW_UNKNOWN",
    `It is a history of ${what}, which was not given (given: ${String(code) || "none"}).`,
  );
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

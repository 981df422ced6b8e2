// Histories kept as files: what `collectHistory` gave, as .json; what `everstep history --json` printed, as .jsonl.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import { type HistorySource, readHistory } from "../testing/recorded-history.ts";

const KINDS = /\.jsonl?$/;

/**
 * One file's history at a time, in the order of their names. Throws CONFIGURATION_INVALID for a folder that is not there
 * or has none: a gate that checks nothing lets everything through.
 */
export function* readHistories(folder: string): Generator<HistorySource> {
  const files = listFiles(folder);
  if (files.length === 0) throw invalid(folder, `There is no .json or .jsonl file below ${folder}.`);
  for (const file of files) yield readFile(join(folder, file));
}

function listFiles(folder: string): string[] {
  if (statSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw invalid(folder, `There is no folder ${folder}.`);
  }
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((name) => KINDS.test(name))
    .sort();
}

function readFile(path: string): HistorySource {
  try {
    const text = readFileSync(path, "utf8");
    const content: unknown = path.endsWith("l") ? parseLines(text) : JSON.parse(text);
    // Without ids of its own, a difference is told with the file's name.
    const named = {
      workflowId: basename(path),
      ...(Array.isArray(content) ? { events: content } : (content as object)),
    };
    const { run, events } = readHistory(named as HistorySource);
    return { ...run, events };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw invalid(path, `${path} holds no history: ${reason}`);
  }
}

function parseLines(text: string): object[] {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return lines.map((line) => JSON.parse(line) as object);
}

function invalid(file: string, message: string): EverstepError {
  return new EverstepError("CONFIGURATION_INVALID", message, { details: { file } });
}

// What `everstep bulk` can do, by the words that the command line has for it, with the options that each of them takes.

import type { Bulk } from "../../sdk/client/bulk.ts";
import type { BulkReport } from "../../sdk/client/bulk-report.ts";
import type { ResetOptions } from "../../sdk/client/run-handle.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import { ApplicationFailure } from "../../sdk/protocol/failures.ts";
import { defineSignal } from "../../sdk/workflow/signal.ts";
import { parseValue } from "./values.ts";
import { parseVersion } from "./version-option.ts";

export interface BulkActionOptions {
  readonly reason?: string;
  readonly input?: string;
  readonly result?: string;
  readonly message?: string;
  readonly final?: boolean;
  readonly at?: number;
  readonly suffix?: string;
  readonly dropSignals?: boolean;
  readonly shareUndone?: boolean;
}

type BulkAction = (bulk: Bulk) => Promise<BulkReport>;

interface Word {
  readonly name: "none" | "may" | "must";
  readonly options: readonly (keyof BulkActionOptions)[];
  /** Throws ARGUMENT_INVALID. */
  readonly make: (options: BulkActionOptions, name: string) => BulkAction;
}

const WORDS: Readonly<Record<string, Word>> = {
  pause: { name: "none", options: ["reason"], make: (options) => (bulk) => bulk.pause(reasonOf(options, "paused")) },
  resume: { name: "none", options: [], make: () => (bulk) => bulk.resume() },
  unblock: { name: "none", options: [], make: () => (bulk) => bulk.unblock() },
  cancel: {
    name: "none",
    options: ["reason"],
    make: (options) => (bulk) => bulk.cancel(reasonOf(options, "canceled")),
  },
  terminate: {
    name: "none",
    options: ["reason"],
    make: (options) => (bulk) => bulk.terminate(reasonOf(options, "terminated")),
  },
  signal: {
    name: "must",
    options: ["input"],
    make({ input }, name) {
      const payload = parseValue(input, "--input");
      return (bulk) => bulk.signal(defineSignal<unknown>(name), payload);
    },
  },
  "retry-now": { name: "may", options: [], make: (_, name) => (bulk) => bulk.retryNow(name === "" ? undefined : name) },
  "skip-sleep": {
    name: "may",
    options: [],
    make: (_, name) => (bulk) => bulk.skipSleep(name === "" ? undefined : name),
  },
  "complete-step": {
    name: "must",
    options: ["result"],
    make({ result }, name) {
      const value = parseValue(result, "--result");
      return (bulk) => bulk.completeStep(name, value);
    },
  },
  "fail-step": {
    name: "must",
    options: ["message", "final"],
    make({ message = "failed from the command line", final }, name) {
      const error = new ApplicationFailure(message, { retryable: final !== true });
      return (bulk) => bulk.failStep(name, error);
    },
  },
  move: {
    name: "must",
    options: [],
    make: (_, name) => (bulk) => bulk.moveTo(parseVersion(name)),
  },
  retry: {
    name: "may",
    options: ["dropSignals", "shareUndone"],
    make: (options, name) => (bulk) => bulk.retryFrom(name === "" ? undefined : name, keptOf(options)),
  },
  reset: {
    name: "none",
    options: ["at", "dropSignals", "shareUndone"],
    make: (options) => (bulk) => bulk.reset(placeOf(options)),
  },
  fork: {
    name: "none",
    options: ["at", "dropSignals", "shareUndone", "suffix"],
    make({ suffix, ...options }) {
      if (suffix === undefined) return (bulk) => bulk.fork(placeOf(options));
      return (bulk) => bulk.fork(({ workflowId }) => ({ ...placeOf(options), id: `${workflowId}${suffix}` }));
    },
  },
};

export const BULK_ACTIONS = Object.keys(WORDS);

const OPTIONS = [
  "reason",
  "input",
  "result",
  "message",
  "final",
  "at",
  "suffix",
  "dropSignals",
  "shareUndone",
] as const;

/** Throws ARGUMENT_INVALID for what is no action, or has what it does not take. */
export function actionOf(word: string, name: string | undefined, options: BulkActionOptions): BulkAction {
  const action = Object.hasOwn(WORDS, word) ? WORDS[word] : undefined;
  if (action === undefined)
    throw invalid("action", `There is no "${word}" in bulk. There is: ${BULK_ACTIONS.join(", ")}.`);
  if (name === undefined && action.name === "must")
    throw invalid("name", `bulk ${word} takes the name of what is meant.`);
  if (name !== undefined && action.name === "none") throw invalid("name", `bulk ${word} takes no name; got "${name}".`);
  const foreign = OPTIONS.find((option) => options[option] !== undefined && !action.options.includes(option));
  if (foreign !== undefined) throw invalid(foreign, `bulk ${word} does not take the option "${foreign}".`);
  return action.make(options, name ?? "");
}

function reasonOf({ reason }: BulkActionOptions, what: string): string {
  return reason ?? `${what} from the command line`;
}

function placeOf(options: BulkActionOptions): ResetOptions {
  return { ...keptOf(options), ...(options.at === undefined ? {} : { at: options.at }) };
}

function keptOf({ dropSignals, shareUndone }: BulkActionOptions): Pick<ResetOptions, "signals" | "undone"> {
  return {
    signals: dropSignals === true ? "drop" : "keep",
    ...(shareUndone === true ? { undone: "share" as const } : {}),
  };
}

function invalid(argument: string, message: string): EverstepError {
  return new EverstepError("ARGUMENT_INVALID", message, { details: { argument } });
}

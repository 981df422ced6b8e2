// `--where` on the command line: one condition each, all of which must hold. Names are attributes, or the two times that
// every run has; what is compared with becomes a typed value here, and stays one.

import { Option } from "commander";
import type { RunFilter, TimeFilter } from "../../sdk/client/run-filter.ts";
import type { AttributeFilters } from "../../sdk/protocol/attribute-filter.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";

const OPERATORS = {
  "!=": "not",
  ">=": "gte",
  "<=": "lte",
  "^=": "startsWith",
  "*=": "contains",
  "=": "equals",
  ">": "gt",
  "<": "lt",
} as const;

const SHAPE = /^([\p{L}_][\p{L}\p{N}_.-]*)(!=|>=|<=|\^=|\*=|=|>|<)(.*)$/su;
const TIMES = ["startedAt", "closedAt"] as const;

export function whereOption(): Option {
  return new Option(
    "--where <condition...>",
    "attribute, =, !=, >, >=, <, <=, ^= (begins with) or *= (contains), value; as in amount>=10 customer=c1 startedAt>2026-01-01",
  );
}

/** What `--id`, `--id-prefix` and `--min-attempt` say. */
export function whichRuns({ id, idPrefix, minAttempt }: WhichRuns): Pick<RunFilter, "workflowId" | "attempt"> {
  return {
    workflowId: idPrefix === undefined ? id : { startsWith: idPrefix },
    ...(minAttempt === undefined ? {} : { attempt: { gte: minAttempt } }),
  };
}

export interface WhichRuns {
  readonly id?: string;
  readonly idPrefix?: string;
  readonly minAttempt?: number;
}

/** Throws ARGUMENT_INVALID, quoting the condition. */
export function parseWhere(
  conditions: readonly string[] = [],
): Pick<RunFilter, "startedAt" | "closedAt" | "attributes"> {
  const tests = new Map<string, Record<string, unknown>>();
  for (const condition of conditions) {
    const [, name = "", operator = "", text = ""] = SHAPE.exec(condition) ?? [];
    const comparison = OPERATORS[operator as keyof typeof OPERATORS];
    if (comparison === undefined) throw invalid(condition, "is no condition, as in amount>=10 or customer=c1");
    const test = tests.get(name) ?? {};
    if (comparison in test) throw invalid(condition, `asks the same of "${name}" a second time`);
    tests.set(name, { ...test, [comparison]: valueIn(text) });
  }
  const times = TIMES.filter((name) => tests.has(name)).map((name) => [
    name,
    timeFilterOf(name, tests.get(name) ?? {}),
  ]);
  const attributes = [...tests]
    .filter(([name]) => !TIMES.some((time) => time === name))
    .map(([name, { equals, ...rest }]) => {
      if (equals === null) return [name, null];
      return [name, equals === undefined ? rest : { equals, ...rest }];
    });
  return { ...Object.fromEntries(times), attributes: Object.fromEntries(attributes) as AttributeFilters };
}

function timeFilterOf(name: string, test: Readonly<Record<string, unknown>>): TimeFilter {
  const isFit = Object.entries(test).every(
    ([comparison, value]) => ["gt", "gte", "lt", "lte"].includes(comparison) && value instanceof Date,
  );
  if (isFit) return test;
  throw invalid(name, "is compared by >, >=, < and <= with a date or a time, as in startedAt>=2026-01-31T12:00:00Z");
}

const DATE = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?)?$/;

/** JSON for a number, true, false, null and a quoted string; a date or time; else the text as it is. */
function valueIn(text: string): unknown {
  if (DATE.test(text) && !Number.isNaN(Date.parse(text))) return new Date(text);
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? text : value;
  } catch {
    return text;
  }
}

function invalid(condition: string, why: string): EverstepError {
  return new EverstepError("ARGUMENT_INVALID", `--where: "${condition}" ${why}.`, { details: { argument: "--where" } });
}

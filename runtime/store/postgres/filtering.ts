// Which runs are meant, as SQL. The texts come from here alone; whatever the caller filters by is bound.

import type { AttributeCondition, ComparedKind, Comparison } from "../../../sdk/protocol/attribute-filter.ts";
import { ATTRIBUTE_CODES } from "../../../sdk/protocol/attributes.ts";
import { isClosed, type RunStatus, STATUS_CODES } from "../../../sdk/protocol/run.ts";
import { DATA_KINDS } from "../run-data.ts";
import type { NumberRange, RunFilter } from "../runs.ts";
import { timeAt } from "./columns.ts";
import { isOfQueue } from "./lanes.ts";

/** Conditions and their parameters, in one order. */
export class Filter {
  readonly values: unknown[] = [];
  readonly conditions: string[] = [];
  /** Open runs are few and have a table of their own; going through all of history to find them would be slow. */
  readonly isOpenOnly: boolean;

  constructor(filter: RunFilter) {
    const { workflow, workflowId, workflowIdPrefix, queue, version, status, isPaused, attributes = [] } = filter;
    this.isOpenOnly = isPaused === true || (status?.every((one) => !isClosed(one)) ?? false);
    this.#add(workflow, (p) => `r.workflow = ${p}`);
    this.#add(workflowId, (p) => `${this.key}.workflow_id = ${p}`);
    this.#add(queue, (p) => (this.isOpenOnly ? isOfQueue("o.queue", `${p}::text`) : `r.queue = ${p}`));
    if (version === null) this.conditions.push("r.version is null");
    else this.#add(version, (p) => `r.version = ${p}`);
    if (status !== undefined) this.#addStatus(status);
    if (isPaused !== undefined) this.#addPaused(isPaused);
    // Workflow ids are indexed in the order of a language, in which those that begin alike need not stand together.
    this.#add(workflowIdPrefix, (p) => `starts_with(${this.key}.workflow_id, ${p}::text)`);
    this.#addRange("r.started_at", filter.startedAt, (at) => timeAt(`${at}::float8`));
    this.#addRange("r.closed_at", filter.closedAt, (at) => timeAt(`${at}::float8`));
    this.#addRange("coalesce(r.attempt, 1)", filter.attempt, (attempt) => `${attempt}::float8`);
    for (const condition of attributes) this.#addAttribute(condition);
  }

  /** The table whose keys the runs are found and ordered by. */
  get key(): "o" | "r" {
    return this.isOpenOnly ? "o" : "r";
  }

  get from(): string {
    return this.isOpenOnly
      ? "everstep.open_run o join everstep.run r on r.run_id = o.run_id"
      : "everstep.run r left join everstep.open_run o on o.run_id = r.run_id";
  }

  get where(): string {
    return this.conditions.length === 0 ? "" : `where ${this.conditions.join(" and ")}`;
  }

  bind(value: unknown): string {
    this.values.push(value);
    return `$${this.values.length}`;
  }

  #add(value: unknown, condition: (parameter: string) => string): void {
    if (value === undefined) return;
    this.conditions.push(condition(this.bind(value)));
  }

  #addStatus(status: readonly RunStatus[]): void {
    const codes = status.filter(isClosed).map((one) => STATUS_CODES[one]);
    const isRunning = status.includes("running");
    const isBlocked = status.includes("blocked");
    const conditions = [
      ...(codes.length > 0 ? [`r.status = any(${this.bind(codes)}::smallint[])`] : []),
      ...(isRunning ? ["(o.run_id is not null and o.blocked is null)"] : []),
      ...(isBlocked ? ["o.blocked is not null"] : []),
    ];
    this.conditions.push(conditions.length === 0 ? "false" : `(${conditions.join(" or ")})`);
  }

  #addPaused(isPaused: boolean): void {
    this.conditions.push(`o.paused is ${isPaused ? "not null" : "null"}`);
  }

  #addRange(column: string, range: NumberRange | undefined, bound: (parameter: string) => string): void {
    for (const [comparison, operator] of Object.entries(OPERATORS)) {
      const value = range?.[comparison as keyof NumberRange];
      if (value === undefined) continue;
      this.conditions.push(`${column} ${operator} ${bound(this.bind(value))}`);
    }
  }

  #addAttribute({ name, isNegated, tests }: AttributeCondition): void {
    const parts = [`d.run_id = ${this.key}.run_id`, `d.kind = ${DATA_KINDS.attribute}`, `d.name = ${this.bind(name)}`];
    for (const { comparison, values } of tests) {
      const [first] = values;
      // One of nothing.
      if (first === undefined) parts.push("false");
      else parts.push(...this.#test(comparison, first.kind, values));
    }
    const found = `exists (select from everstep.run_data d where ${parts.join(" and ")})`;
    this.conditions.push(isNegated ? `not ${found}` : found);
  }

  #test(comparison: Comparison, kind: ComparedKind, values: readonly { readonly value: string | number }[]): string[] {
    const isText = kind === "text";
    const column = isText ? "d.text" : "d.number";
    const type = isText ? "text" : "float8";
    const bound = this.bind(comparison === "oneOf" ? values.map(({ value }) => value) : values[0]?.value);
    // Texts have an infinite number: saying so is what lets the index find them.
    const ofKind = isText ? "d.number = 'infinity'" : `d.type in (${TYPES_OF[kind].join(", ")}) and d.text = ''`;
    switch (comparison) {
      case "oneOf":
        return [ofKind, `${column} = any(${bound}::${type}[])`];
      case "equals":
        return [ofKind, `${column} = ${bound}::${type}`];
      case "startsWith":
        return [ofKind, `d.text >= ${bound}::text`, `starts_with(d.text, ${bound}::text)`];
      case "contains":
        return [ofKind, `strpos(d.text, ${bound}::text) > 0`];
      default:
        return [ofKind, `${column} ${OPERATORS[comparison]} ${bound}::${type}`];
    }
  }
}

const OPERATORS = { gt: ">", gte: ">=", lt: "<", lte: "<=" } as const;

const { int, double, bool, datetime } = ATTRIBUTE_CODES;
const TYPES_OF: Readonly<Record<Exclude<ComparedKind, "text">, readonly number[]>> = {
  number: [int, double],
  bool: [bool],
  time: [datetime],
};

// Schemas of any library that speaks Standard Schema v1 (https://standardschema.dev): zod, valibot, arktype and others.
// Only the part of the interface that is used here, so that nothing has to be installed for it.

import { EverstepError } from "./errors.ts";

/** What such libraries' schemas are. `Input` is what may be given, `Output` what comes of it (defaults, transforms). */
export interface StandardSchema<Input = unknown, Output = Input> {
  readonly "~standard": {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaVerdict<Output> | Promise<SchemaVerdict<Output>>;
    readonly types?: { readonly input: Input; readonly output: Output } | undefined;
  };
}

export type SchemaVerdict<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] };

export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

export type SchemaInput<Schema extends StandardSchema> = NonNullable<Schema["~standard"]["types"]>["input"];
export type SchemaOutput<Schema extends StandardSchema> = NonNullable<Schema["~standard"]["types"]>["output"];

/**
 * What the schema makes of the value; the value itself where there is no schema. `what` names it and starts its paths.
 *
 * Throws ARGUMENT_INVALID, naming the path, for a value that does not fit, and for a schema that does not decide at once.
 */
export function parseWith(schema: StandardSchema | undefined, value: unknown, what: string): unknown {
  if (schema === undefined) return value;
  const verdict = schema["~standard"].validate(value);
  if (verdict instanceof Promise) throw decidesLater(verdict, what);
  if (verdict.issues === undefined) {
    // A library may know of no later, and give what an asynchronous transform gave as the value.
    const { value: made } = verdict;
    if (made instanceof Promise) throw decidesLater(made, what);
    return made;
  }
  const [first] = verdict.issues;
  // A path may be an array of a class of its own, whose `map` makes another one of these.
  const path = `${what}${Array.from(first?.path ?? [], segment).join("")}`;
  const more = verdict.issues.length > 1 ? ` (and ${verdict.issues.length - 1} more)` : "";
  throw invalid(path, `${path} does not fit its schema: ${first?.message ?? "no reason given"}${more}.`);
}

/** Refuses what is no schema. `what` names the argument. Throws ARGUMENT_INVALID. */
export function assertSchema(schema: StandardSchema | undefined, what: string): void {
  if (schema === undefined || typeof schema?.["~standard"]?.validate === "function") return;
  throw invalid(what, `${what} takes a Standard Schema (as zod, valibot and arktype make them); got ${typeof schema}.`);
}

function decidesLater(verdict: Promise<unknown>, what: string): EverstepError {
  verdict.catch(() => {});
  return invalid(
    what,
    `${what} has a schema that decides later. Schemas of workflows and messages must decide at once.`,
  );
}

function segment(part: PropertyKey | { readonly key: PropertyKey }): string {
  const key = typeof part === "object" ? part.key : part;
  return typeof key === "number" ? `[${key}]` : `.${String(key)}`;
}

function invalid(argument: string, message: string): EverstepError {
  return new EverstepError("ARGUMENT_INVALID", message, { details: { argument } });
}

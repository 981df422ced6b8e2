// The same schemas as three libraries write them. Each takes text and gives numbers and dates, so that what was sent and what
// the code gets cannot be taken for each other.

import { type } from "arktype";
import * as v from "valibot";
import { z } from "zod";
import type { StandardSchema } from "../../sdk/index.ts";

export interface Schemas {
  readonly input: StandardSchema<{ owner: string; since: string }, { owner: string; since: Date }>;
  readonly item: StandardSchema<{ name: string; count?: string | undefined }, { name: string; count: number }>;
  readonly total: StandardSchema<number>;
  readonly wanted: StandardSchema<{ name: string }>;
  readonly count: StandardSchema<number>;
  readonly text: StandardSchema<string>;
  readonly nothing: StandardSchema<undefined>;
  readonly rows: StandardSchema<{ rows: { id: number }[] }>;
  /** Decides later, as far as the library knows of such a thing. */
  readonly later: StandardSchema<string, unknown>;
}

const zod: Schemas = {
  input: z.object({ owner: z.string(), since: z.iso.datetime().transform((text) => new Date(text)) }),
  item: z.object({
    name: z.string().min(1),
    count: z.string().default("1").transform(Number).pipe(z.number().int()),
  }),
  total: z.number().max(100),
  wanted: z.object({ name: z.string() }),
  count: z.number(),
  text: z.string(),
  nothing: z.undefined(),
  rows: z.object({ rows: z.array(z.object({ id: z.number() })) }),
  later: z.string().refine(async (text) => text !== ""),
};

const valibot: Schemas = {
  input: v.object({
    owner: v.string(),
    since: v.pipe(
      v.string(),
      v.isoTimestamp(),
      v.transform((text) => new Date(text)),
    ),
  }),
  item: v.object({
    name: v.pipe(v.string(), v.minLength(1)),
    count: v.optional(v.pipe(v.string(), v.transform(Number), v.integer()), "1"),
  }),
  total: v.pipe(v.number(), v.maxValue(100)),
  wanted: v.object({ name: v.string() }),
  count: v.number(),
  text: v.string(),
  nothing: v.undefined(),
  rows: v.object({ rows: v.array(v.object({ id: v.number() })) }),
  later: v.pipeAsync(
    v.string(),
    v.checkAsync(async (text) => text !== ""),
  ),
};

const arktype: Schemas = {
  input: type({ owner: "string", since: "string.date.iso.parse" }),
  item: type({ name: "string > 0", count: "string.integer.parse = '1'" }),
  total: type("number <= 100"),
  wanted: type({ name: "string" }),
  count: type("number"),
  text: type("string"),
  nothing: type("undefined"),
  rows: type({ rows: type({ id: "number" }).array() }),
  // It has no later: what a morph gives is the value, be it a promise.
  later: type("string").pipe(async (text) => text !== ""),
};

export const SCHEMA_LIBRARIES = { zod, valibot, arktype };

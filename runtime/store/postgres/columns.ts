// Many rows as one statement's parameters: one text per column, taken apart by Postgres. Much cheaper than arrays of
// texts, whose every element must be escaped here and unescaped there; possible because no stored text holds the marks
// (payloads and data are JSON, which escapes control characters; names are checked).

import { EverstepError, invariant } from "../../../sdk/protocol/errors.ts";
import { uuidOf } from "./run-id.ts";

const END = "\u001e";
const NULL = "\u001f";
// biome-ignore lint/suspicious/noControlCharactersInRegex: the marks, and the one character Postgres cannot store
const UNSTORABLE = /[\u0000\u001e\u001f]/;

/** Numbers and uuids, as `'{a,b,null}'`. */
export class PlainColumn {
  readonly #values: (number | string)[];
  #count = 0;

  /** `rows`: that many are added. A list that grows as they come makes half a dozen others on its way. */
  constructor(rows: number) {
    this.#values = new Array(rows);
  }

  add(value: number | string | null): void {
    this.#values[this.#count++] = value ?? "null";
  }

  get parameter(): string {
    assertFilled(this.#count, this.#values.length);
    return `{${this.#values.join(",")}}`;
  }
}

export function plain(values: readonly (number | string | null)[]): string {
  const column = new PlainColumn(values.length);
  for (const value of values) column.add(value);
  return column.parameter;
}

export function runIds(values: readonly string[]): string {
  return `{${values.map(uuidOf).join(",")}}`;
}

/**
 * JSON texts. Every value is followed by the end mark, so that a lone empty text is not taken for no text at all; the
 * empty piece after the last mark makes one padding row, which has null in every `plain` column: see `textColumn`.
 */
export class TextColumn {
  readonly #values: string[];
  #count = 0;

  /** `rows`: that many are added. */
  constructor(rows: number) {
    this.#values = new Array(rows);
  }

  add(value: string | null): void {
    this.#values[this.#count++] = value ?? NULL;
  }

  /** A text that a person chose. */
  addName(value: string | null): void {
    this.add(storableName(value));
  }

  get parameter(): string {
    assertFilled(this.#count, this.#values.length);
    return this.#values.length === 0 ? "" : this.#values.join(END) + END;
  }
}

/** A row that was announced and not added would read as an empty text, which nobody has said. */
function assertFilled(count: number, rows: number): void {
  if (count !== rows) invariant(false, "a column has a value for each row", { count, rows });
}

/** The text as it is; throws STORE_REJECTED for one that holds a mark or what Postgres cannot store. */
export function storableName(value: string | null): string | null {
  if (value === null || !UNSTORABLE.test(value)) return value;
  throw new EverstepError(
    "STORE_REJECTED",
    `${JSON.stringify(value)} holds a character that cannot be stored: U+0000, U+001E or U+001F.`,
  );
}

export function texts(values: readonly (string | null)[]): string {
  const column = new TextColumn(values.length);
  for (const value of values) column.add(value);
  return column.parameter;
}

export function names(values: readonly (string | null)[]): string {
  const column = new TextColumn(values.length);
  for (const value of values) column.addName(value);
  return column.parameter;
}

/** How SQL reads a column made by `texts` or `names`; the reader must drop the padding row by a `plain` column. */
export function textColumn(parameter: number): string {
  return `string_to_array($${parameter}::text, E'\\x1e', E'\\x1f')`;
}

/** Ms since the epoch of a timestamp, as a JavaScript number: the same expression wherever a time leaves the store. */
export function ms(expression: string): string {
  return `floor(extract(epoch from ${expression}) * 1000)::float8`;
}

/**
 * The same for what was recorded when it happened, in whole milliseconds: a fifth of the cost of `ms`, which counts in
 * decimals. Exact for times before the year 4000, where a second as a double is exact to a hundredth of a millisecond.
 */
export function recordedMs(expression: string): string {
  return `floor(date_part('epoch', ${expression}) * 1000 + 0.01)`;
}

/** Like `ms`, with null for infinity. */
export function finiteMs(expression: string): string {
  return `case when isfinite(${expression}) then ${ms(expression)} end`;
}

/** The time at `expression` ms since the epoch; null for null. */
export function timeOf(expression: string): string {
  return `timestamptz 'epoch' + ${expression} * interval '1 millisecond'`;
}

/** The time at `expression` ms since the epoch; later than JavaScript can say is infinity. */
export function timeAt(expression: string): string {
  return `case when ${expression} < 8.64e15 then ${timeOf(expression)} else 'infinity' end`;
}

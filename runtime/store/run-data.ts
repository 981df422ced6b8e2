// Attributes, memo and summary as stores keep them beside the history, for lists: rows of one shape, derived from the events of
// the very append that writes them. Here is the shape, and what events make of it; both stores agree on it by using it.
//
// A value is two columns that sort: `number` (bools are 0 and 1, times ms) and `text`. What is a text has infinity for its
// number, so texts come after all numbers, and every value has one place in one order.

import {
  ATTRIBUTE_CODES,
  type AttributeType,
  decodeAttributes,
  type StoredAttribute,
} from "../../sdk/protocol/attributes.ts";
import { EVENT_CODES, type RunStarted } from "../../sdk/protocol/event.ts";
import { type EventRecord, fromRecord } from "../../sdk/protocol/event-record.ts";
import { decodeMemoChanges } from "../../sdk/protocol/memo.ts";

export const DATA_KINDS = { attribute: 1, memo: 2, summary: 3 } as const;
export type DataKind = (typeof DATA_KINDS)[keyof typeof DATA_KINDS];

export interface DataRow {
  /** Of a keyword in its list; 0 for everything else. */
  readonly place: number;
  /** One of ATTRIBUTE_CODES; 0 for a value of a memo, whose stored form is the text, and for the summary, as JSON. */
  readonly type: number;
  readonly number: number;
  readonly text: string;
}

/** The rows that a name has from now on; none: it is gone. */
export interface DataChange {
  readonly kind: DataKind;
  readonly name: string;
  readonly rows: readonly DataRow[];
}

/** What is kept of a run beside its history, in stored form. */
export interface KeptData {
  readonly attributes: Readonly<Record<string, StoredAttribute>>;
  readonly memo: Readonly<Record<string, string>>;
  /** Absent when it was started with neither summary nor details; empty when with details only. */
  readonly summary?: string;
}

export function hasChanges(events: readonly EventRecord[]): boolean {
  for (const { type } of events) if (isUpsert(type)) return true;
  return false;
}

/** Each name once, as it is after all of these events. */
export function changesIn(events: readonly EventRecord[]): DataChange[] {
  const last = new Map<string, DataChange>();
  for (const record of events) {
    if (!isUpsert(record.type)) continue;
    const kind = record.type === EVENT_CODES.MemoUpserted ? DATA_KINDS.memo : DATA_KINDS.attribute;
    for (const change of changesOf(kind, record.payload)) last.set(`${kind} ${change.name}`, change);
  }
  return [...last.values()];
}

/** What a run is started with, by its first event. */
export function startedWith(started: EventRecord): DataChange[] {
  const event = fromRecord({ ...started, seq: 1, at: 0 });
  if (event?.type !== "RunStarted") return [];
  const { attributes = null, memo = null } = event;
  const changes = [
    ...changesOf(DATA_KINDS.attribute, attributes),
    ...changesOf(DATA_KINDS.memo, memo),
    ...summaryIn(event),
  ];
  return changes.filter(({ rows }) => rows.length > 0);
}

// Details are left to the history: lists do not show them. That there are any is seen by a row.
function summaryIn({ summary, details }: RunStarted): DataChange[] {
  if (summary === undefined && details === undefined) return [];
  const text = JSON.stringify(summary ?? "");
  return [{ kind: DATA_KINDS.summary, name: "summary", rows: [{ place: 0, type: 0, number: 0, text }] }];
}

function isUpsert(type: number): boolean {
  return type === EVENT_CODES.AttributesUpserted || type === EVENT_CODES.MemoUpserted;
}

function changesOf(kind: DataKind, text: string | null): DataChange[] {
  if (kind === DATA_KINDS.memo) {
    return Object.entries(decodeMemoChanges(text)).map(([name, stored]) => {
      return { kind, name, rows: stored === null ? [] : [{ place: 0, type: 0, number: 0, text: stored }] };
    });
  }
  return Object.entries(decodeAttributes(text)).map(([name, stored]) => {
    return { kind, name, rows: stored === null ? [] : rowsOf(stored) };
  });
}

export function rowsOf([type, value]: StoredAttribute): DataRow[] {
  const code = ATTRIBUTE_CODES[type];
  const texts = Array.isArray(value) ? value : typeof value === "string" ? [value] : null;
  if (texts === null) return [{ place: 0, type: code, number: Number(value), text: "" }];
  return texts.map((text, place) => ({ place, type: code, number: Number.POSITIVE_INFINITY, text }));
}

const TYPES = new Map(Object.entries(ATTRIBUTE_CODES).map(([type, code]) => [code, type as AttributeType]));

/** The value of rows that `rowsOf` made, in the order of their places. */
export function attributeOf(rows: readonly Omit<DataRow, "place">[]): StoredAttribute | undefined {
  const [first] = rows;
  const type = first === undefined ? undefined : TYPES.get(first.type as never);
  if (first === undefined || type === undefined) return undefined;
  if (type === "keywordList") return [type, rows.map(({ text }) => text)];
  if (type === "keyword" || type === "text") return [type, first.text];
  return [type, type === "bool" ? first.number === 1 : first.number];
}

/** A list is counted keyword by keyword. */
export function countedValueOf(row: Omit<DataRow, "place">): StoredAttribute | null {
  const isKeyword = row.type === ATTRIBUTE_CODES.keywordList;
  return attributeOf([isKeyword ? { ...row, type: ATTRIBUTE_CODES.keyword } : row]) ?? null;
}

/** Rows come name by name, in the order of their places. */
export function keptDataOf(rows: Iterable<Omit<DataRow, "place"> & { kind: number; name: string }>): KeptData {
  const attributes: Record<string, StoredAttribute> = {};
  const memo: Record<string, string> = {};
  let summary: string | undefined;
  const byName = new Map<string, Omit<DataRow, "place">[]>();
  for (const row of rows) {
    if (row.kind === DATA_KINDS.memo) memo[row.name] = row.text;
    else if (row.kind === DATA_KINDS.summary) summary = JSON.parse(row.text) as string;
    else byName.set(row.name, [...(byName.get(row.name) ?? []), row]);
  }
  for (const [name, values] of byName) {
    const attribute = attributeOf(values);
    if (attribute !== undefined) attributes[name] = attribute;
  }
  return { attributes, memo, ...(summary === undefined ? {} : { summary }) };
}

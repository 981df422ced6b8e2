// What a run says of itself as it goes on: attributes, memo and notes. An entry waits for nothing, so it is made at once,
// numbered like any command, and stays to be recorded until history has it. History repeats it whole: code that says
// something else does not fit. Current details are said to nobody but who asks now: they are the code's own state.

import {
  type AttributeValue,
  attributeValueOf,
  decodeAttributes,
  mergeAttributes,
  type StoredAttribute,
} from "../../sdk/protocol/attributes.ts";
import type { AttributesUpserted, HistoryEvent, MemoUpserted, RunNoted, RunStarted } from "../../sdk/protocol/event.ts";
import { decodeMemoChanges, memoValuesOf, mergeMemo, type StoredMemo } from "../../sdk/protocol/memo.ts";
import type { NoteLevel } from "../../sdk/protocol/notes.ts";
import type { Payload } from "../../sdk/protocol/payload.ts";
import type { Commands } from "./commands.ts";

/** What the code put into its history: the very event, but for its place. */
export type Entry = AttributesUpserted | MemoUpserted | RunNoted;
export type EntryKind = "UpsertAttributes" | "UpsertMemo" | "Note";

export const ENTRY_KINDS = {
  AttributesUpserted: "UpsertAttributes",
  MemoUpserted: "UpsertMemo",
  RunNoted: "Note",
} as const satisfies Record<Entry["type"], EntryKind>;

const NONE = Object.freeze({});

export class RunData {
  readonly #commands: Commands;
  // Most runs have none of it, and there are very many of them.
  #attributes: Readonly<Record<string, StoredAttribute>> = NONE;
  #memo: StoredMemo = NONE;
  #entries: Map<number, Entry> | undefined;
  /** Markdown for people; null for none. */
  currentDetails: string | null = null;

  constructor(commands: Commands) {
    this.#commands = commands;
  }

  start({ attributes = null, memo = null }: RunStarted): void {
    if (attributes !== null) this.#change("attributes", attributes, "start({ attributes })");
    if (memo !== null) this.#change("memo", memo, "start({ memo })");
  }

  /** Throws ARGUMENT_INVALID when it would be too much, having changed nothing. `caller`: who asks. */
  upsert(kind: "attributes" | "memo", changes: Payload, caller: string): void {
    this.#change(kind, changes, caller);
    const type = kind === "memo" ? "MemoUpserted" : "AttributesUpserted";
    this.#enter({ type, command: this.#commands.asked.add(ENTRY_KINDS[type], kind), name: kind, changes });
  }

  note(level: NoteLevel, text: string): void {
    const command = this.#commands.asked.add(ENTRY_KINDS.RunNoted, level);
    this.#enter({ type: "RunNoted", command, name: level, text });
  }

  /** An entry is in the history. The code has gone on since: it is only compared. */
  compare(event: Entry & HistoryEvent): void {
    const { asked } = this.#commands;
    asked.compare(event, ENTRY_KINDS[event.type]);
    if (isSameEntry(this.#recorded(event), event)) return;
    const other = event.type === "RunNoted" ? "another text" : "other values";
    const instead = `the code asked for ${ENTRY_KINDS[event.type]} with ${other} as command ${event.command}`;
    asked.diverge(event, instead, event.command);
  }

  #change(kind: "attributes" | "memo", changes: Payload, what: string): void {
    if (kind === "memo") this.#memo = mergeMemo(this.#memo, decodeMemoChanges(changes), what);
    else this.#attributes = mergeAttributes(this.#attributes, decodeAttributes(changes), what);
  }

  /** To be recorded. */
  #enter(entry: Entry): void {
    this.#entries ??= new Map();
    this.#entries.set(entry.command, entry);
    this.#commands.enter(entry);
  }

  /** What was entered under the number of this event, which is in the history now. */
  #recorded({ command }: Entry): Entry | undefined {
    const entry = this.#entries?.get(command);
    this.#entries?.delete(command);
    return entry;
  }

  /** Entered and not in the history yet, in the order of entering. */
  get entries(): Iterable<Entry> {
    return this.#entries?.values() ?? [];
  }

  get firstEntry(): Entry | undefined {
    return this.#entries?.values().next().value;
  }

  /** All of it, as the start of a run that goes on with it: null for none. */
  get carried(): { readonly attributes: Payload; readonly memo: Payload } {
    const attributes = Object.keys(this.#attributes).length === 0 ? null : JSON.stringify(this.#attributes);
    const memo = Object.entries(this.#memo).map(([key, stored]) => `${JSON.stringify(key)}:${stored}`);
    return { attributes, memo: memo.length === 0 ? null : `{${memo.join(",")}}` };
  }

  get attributes(): Readonly<Record<string, AttributeValue>> {
    const shown = Object.entries(this.#attributes).map(([name, stored]) => [name, attributeValueOf(stored)]);
    return Object.freeze(Object.fromEntries(shown));
  }

  get memo(): Readonly<Record<string, unknown>> {
    return memoValuesOf(this.#memo, "memo");
  }
}

/** Whether two entries of one kind and name say the same. */
function isSameEntry(entry: Entry | undefined, recorded: Entry): boolean {
  return entry !== undefined && contentOf(entry) === contentOf(recorded);
}

function contentOf(entry: Entry): Payload {
  return entry.type === "RunNoted" ? entry.text : entry.changes;
}

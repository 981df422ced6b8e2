// Short histories as one text each, which costs both sides less than a row per event. The marks between the columns are those
// between the values of a parameter: no stored text holds them.

import type { StoredEvent } from "../../../sdk/protocol/event-record.ts";
import { ms } from "./columns.ts";

const EVENT = "\u001e";
const COLUMN = "\u001f";

/** SQL for all rows of `event`, in any order: sorting them there would cost as much as joining them. */
export function joinedEvents(event: string): string {
  // A mark before what is there tells an empty text from none.
  const text = (column: string) => `coalesce('.' || ${event}.${column}, '')`;
  const columns = [
    `${event}.seq`,
    `${event}.type`,
    `coalesce(${event}.command::text, '')`,
    text("name"),
    text("payload"),
    text("data"),
    ms(`${event}.at`),
  ];
  return `string_agg(concat_ws(E'\\x1f', ${columns.join(", ")}), E'\\x1e')`;
}

/** In their order. */
export function eventsOf(joined: string): StoredEvent[] {
  const events = joined.split(EVENT).map(eventOf);
  return events.every(({ seq }, place) => seq === place + 1) ? events : events.sort((a, b) => a.seq - b.seq);
}

function eventOf(row: string): StoredEvent {
  const [seq, type, command, name = "", payload = "", data = "", at] = row.split(COLUMN);
  return {
    seq: Number(seq),
    at: Number(at),
    type: Number(type),
    command: command === "" ? null : Number(command),
    name: textOf(name),
    payload: textOf(payload),
    data: textOf(data),
  };
}

function textOf(marked: string): string | null {
  return marked === "" ? null : marked.slice(1);
}

// Short histories as one text each: joined rows, with the other mark between them.

import type { StoredEvent } from "../../../sdk/protocol/event-record.ts";
import { recordedMs } from "./columns.ts";
import { columnsOf, joinedRow, nullableNumber, nullableText, numberOf, textOf } from "./joined-row.ts";

const EVENT = "\u001e";

/** In the order in which `eventOf` reads them. */
function columns(event: string): string[] {
  return [
    `${event}.seq`,
    `${event}.type`,
    nullableNumber(`${event}.command`),
    nullableText(`${event}.name`),
    nullableText(`${event}.payload`),
    nullableText(`${event}.data`),
    recordedMs(`${event}.at`),
  ];
}
const COLUMNS = columns("event").length;

/** SQL for all rows of `event`, in any order: sorting them there would cost as much as joining them. */
export function joinedEvents(event: string): string {
  return `string_agg(${joinedRow(columns(event))}, E'\\x1e')`;
}

/** In their order. */
export function eventsOf(joined: string): StoredEvent[] {
  const events = joined.split(EVENT).map(eventOf);
  return events.every(({ seq }, place) => seq === place + 1) ? events : events.sort((a, b) => a.seq - b.seq);
}

function eventOf(row: string): StoredEvent {
  const [seq, type, command = "", name = "", payload = "", data = "", at] = columnsOf(row, COLUMNS);
  return {
    seq: Number(seq),
    at: Number(at),
    type: Number(type),
    command: numberOf(command),
    name: textOf(name),
    payload: textOf(payload),
    data: textOf(data),
  };
}

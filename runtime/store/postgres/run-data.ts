// Attributes and memos, kept in the statement that appends or starts: what a list says of a run is never behind its
// history. Batches that change none are sent without any of this.

import {
  changesIn,
  type DataChange,
  type DataRow,
  hasChanges,
  type KeptData,
  keptDataOf,
  startedWith,
} from "../run-data.ts";
import type { StartRequest } from "../starts.ts";
import type { AppendTurn } from "../turns.ts";
import { names, plain, runIds, textColumn } from "./columns.ts";
import { lookup } from "./lookup.ts";

/** For the append: joins `ok`, the turns that go in, by place. A name's rows beyond its new number of them go away. */
export function changeData(first: number): string {
  const [p, n] = [(offset: number) => `$${first + offset}`, (offset: number) => textColumn(first + offset)];
  return `,
    datum as materialized (
      select ok.run_id, d.kind, d.size, d.place, d.type, d.number, d.name, d.text
      from unnest(${p(0)}::int[], ${p(1)}::smallint[], ${p(2)}::smallint[], ${p(3)}::smallint[], ${p(4)}::smallint[], ${p(5)}::float8[], ${n(6)}, ${n(7)})
        d(turn, kind, size, place, type, number, name, text)
      join ok on ok.place = d.turn),
    dropped as (
      delete from everstep.run_data r using datum d
      where ${lookup("r.run_id", "d.run_id")} and r.kind = d.kind and r.name = d.name and r.place >= d.size),
    kept as (
      insert into everstep.run_data (run_id, kind, name, place, type, number, text)
      select run_id, kind, name, place, type, number, text from datum where place is not null
      on conflict (run_id, kind, name, place)
      do update set type = excluded.type, number = excluded.number, text = excluded.text)`;
}

/** Null when no turn changes anything: then nothing of it is sent. */
export function changeValues(turns: readonly AppendTurn[]): unknown[] | null {
  if (!turns.some(({ events }) => hasChanges(events))) return null;
  const changes = turns.flatMap(({ events }, index) =>
    changesIn(events).map((change) => ({ turn: index + 1, change })),
  );
  const rows = changes.flatMap(({ turn, change }) => {
    const { kind, name, rows } = change;
    const size = rows.length;
    const gone = { place: null, type: null, number: null, text: null };
    return (size === 0 ? [gone] : rows).map((row) => ({ turn, kind, name, size, ...row }));
  });
  return [
    plain(rows.map(({ turn }) => turn)),
    plain(rows.map(({ kind }) => kind)),
    plain(rows.map(({ size }) => size)),
    plain(rows.map(({ place }) => place)),
    plain(rows.map(({ type }) => type)),
    plain(rows.map(({ number }) => number)),
    names(rows.map(({ name }) => name)),
    names(rows.map(({ text }) => text)),
  ];
}

/** For the start: joins `head`, the runs that are started. */
export function startData(first: number): string {
  const [p, n] = [(offset: number) => `$${first + offset}`, (offset: number) => textColumn(first + offset)];
  return `,
      first_data as (
        insert into everstep.run_data (run_id, kind, name, place, type, number, text)
        select head.run_id, d.kind, d.name, d.place, d.type, d.number, d.text
        from unnest(${p(0)}::uuid[], ${p(1)}::smallint[], ${p(2)}::smallint[], ${p(3)}::smallint[], ${p(4)}::float8[], ${n(5)}, ${n(6)})
          d(run_id, kind, place, type, number, name, text)
        join head on head.run_id = d.run_id)`;
}

/** Null when no run is started with any. */
export function startDataValues(
  requests: readonly Pick<StartRequest, "runId" | "started" | "carriesData">[],
): unknown[] | null {
  if (!requests.some(({ carriesData }) => carriesData === true)) return null;
  const rows = requests.flatMap(({ runId, started, carriesData }) => {
    const changes: DataChange[] = carriesData === true ? startedWith(started) : [];
    return changes.flatMap(({ kind, name, rows }) => rows.map((row) => ({ runId, kind, name, ...row })));
  });
  return dataValues(rows);
}

/** For a run that begins with what others' events have made of it. */
export function forkedDataValues(runId: string, changes: readonly DataChange[]): unknown[] {
  return dataValues(changes.flatMap(({ kind, name, rows }) => rows.map((row) => ({ runId, kind, name, ...row }))));
}

function dataValues(rows: readonly (DataRow & { runId: string; kind: number; name: string })[]): unknown[] {
  return [
    runIds(rows.map(({ runId }) => runId)),
    plain(rows.map(({ kind }) => kind)),
    plain(rows.map(({ place }) => place)),
    plain(rows.map(({ type }) => type)),
    plain(rows.map(({ number }) => number)),
    names(rows.map(({ name }) => name)),
    names(rows.map(({ text }) => text)),
  ];
}

/** A column of whatever is told about run `r`; null when it has no data. */
export const DATA_COLUMN = `
  (select json_agg(json_build_array(d.kind, d.name, d.type, d.number, d.text) order by d.kind, d.name, d.place)::text
   from everstep.run_data d where d.run_id = r.run_id) as data`;

export function dataOf(column: string | null): KeptData {
  if (column === null) return keptDataOf([]);
  const rows = JSON.parse(column) as [number, string, number, number, string][];
  return keptDataOf(rows.map(([kind, name, type, number, text]) => ({ kind, name, type, number, text })));
}

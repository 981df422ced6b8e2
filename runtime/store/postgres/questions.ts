// Queries of runs on their way to a worker, and the answers on their way back, in a table that a crash may empty: whoever
// waits for an answer has a time limit anyway.

import { queueOfLane } from "../lanes.ts";
import type { QueryAnswer, QueryRequest, TakenQuery } from "../questions.ts";
import { names, textColumn, texts } from "./columns.ts";
import type { Pool } from "./connection.ts";
import { laneOf } from "./lanes.ts";
import { lookup } from "./lookup.ts";
import { runIdOf, uuidOf } from "./run-id.ts";
import { prepared } from "./statements.ts";

const ASK = prepared({
  name: "everstep_ask_query",
  text: `insert into everstep.query (query_id, run_id, queue, name, input) values ($1, $2, $3, $4, $5)
    on conflict (query_id) do nothing`,
});

export async function askQuery(pool: Pool, { queryId, runId, queue, name, input }: QueryRequest): Promise<void> {
  await pool.query(ASK, [queryId, uuidOf(runId), queue, name, input]);
}

const TAKE = prepared({
  name: "everstep_take_queries",
  text: `
    with mine as materialized (
      select q.query_id, o.worker_id
      from everstep.query q
      join everstep.run r on ${lookup("r.run_id", "q.run_id")}
      left join everstep.open_run o on ${lookup("o.run_id", "q.run_id")}
      where q.queue = any($2::text[]) and q.taken_at is null and (o.worker_id = $1
        or (o.worker_id is null and ${laneOf("q.queue", "r.workflow", "r.version")} = any($4::text[])))
      order by q.asked_at limit $3 for update of q skip locked)
    update everstep.query q set taken_at = now() from mine where ${lookup("q.query_id", "mine.query_id")}
    returning q.query_id, q.run_id, q.queue, q.name, q.input, mine.worker_id`,
});

interface QuestionRow {
  query_id: string;
  run_id: string;
  queue: string;
  name: string;
  input: string | null;
  worker_id: string | null;
}

export async function takeQueries(
  pool: Pool,
  workerId: string,
  lanes: readonly string[],
  limit: number,
): Promise<TakenQuery[]> {
  const queues = [...new Set(lanes.map(queueOfLane))];
  const rows = await pool.query<QuestionRow>(TAKE, [workerId, queues, limit, lanes]);
  return rows.map((row) => ({
    queryId: row.query_id,
    runId: runIdOf(row.run_id),
    queue: row.queue,
    name: row.name,
    input: row.input,
    ownerId: row.worker_id,
  }));
}

// The first answer counts.
const ANSWER = prepared({
  name: "everstep_answer_queries",
  text: `
    update everstep.query q set answer = a.answer, taken_at = coalesce(q.taken_at, now())
    from unnest(${textColumn(1)}, ${textColumn(2)}) a(query_id, answer)
    where ${lookup("q.query_id", "a.query_id")} and q.answer is null`,
});

export async function answerQueries(
  pool: Pool,
  answers: readonly { readonly queryId: string; readonly answer: QueryAnswer }[],
): Promise<void> {
  if (answers.length === 0) return;
  await pool.query(ANSWER, [
    names(answers.map(({ queryId }) => queryId)),
    texts(answers.map(({ answer }) => JSON.stringify(answer))),
  ]);
}

const TAKE_ANSWER = prepared({
  name: "everstep_take_answer",
  text: "delete from everstep.query where query_id = $1 and answer is not null returning answer",
});

export async function takeAnswer(pool: Pool, queryId: string): Promise<QueryAnswer | null> {
  const [row] = await pool.query<{ answer: string }>(TAKE_ANSWER, [queryId]);
  return row === undefined ? null : (JSON.parse(row.answer) as QueryAnswer);
}

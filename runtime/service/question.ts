// One query: puts the question, wakes whoever can answer, waits for the answer, puts it again when it got lost.

import { EverstepError } from "../../sdk/protocol/errors.ts";
import type { Payload } from "../../sdk/protocol/payload.ts";
import type { QueryAnswer } from "../store/questions.ts";
import type { RunDetail } from "../store/runs.ts";
import type { Store } from "../store/store.ts";
import type { Topic, Wakeups } from "../wake/wakeups.ts";
import { Alarm } from "../world/pause.ts";
import type { World } from "../world/world.ts";

export interface Question {
  readonly store: Store;
  readonly wakeups: Wakeups;
  readonly world: World;
  readonly pollMs: number;
  readonly signal: AbortSignal;
  readonly run: RunDetail;
  readonly name: string;
  readonly input: Payload;
  readonly timeoutMs: number;
}

/** After this long without an answer the question is put again: its taker may have died, or lost the run. */
const ASK_AGAIN_AFTER_MS = 3_000;

export async function askQuery(question: Question): Promise<Payload> {
  const { world, run, name, timeoutMs, signal } = question;
  const deadline = world.clock.monotonic() + timeoutMs;
  while (world.clock.monotonic() < deadline && !signal.aborted) {
    const answer = await askOnce(question, Math.min(deadline, world.clock.monotonic() + ASK_AGAIN_AFTER_MS));
    if (answer === null) continue;
    if (answer.ok) return answer.payload;
    throw new EverstepError(answer.code, answer.message, { details: { runId: run.runId, query: name } });
  }
  const code = run.version === null ? "" : ` that has version ${run.version} of "${run.workflow}"`;
  const message = `No worker answered query "${name}" of run ${run.workflowId} within ${timeoutMs} ms. Is a worker of queue "${run.queue}"${code} running?`;
  throw new EverstepError("QUERY_TIMED_OUT", message, { details: { runId: run.runId, query: name } });
}

async function askOnce(
  { store, wakeups, world, pollMs, signal, run, name, input }: Question,
  until: number,
): Promise<QueryAnswer | null> {
  const queryId = world.chance.uuid();
  const alarm = new Alarm(world.clock);
  const unsubscribe = wakeups.subscribe(`query/${queryId}`, () => alarm.wake());
  try {
    await store.askQuery({ queryId, runId: run.runId, queue: run.queue, name, input });
    const topic: Topic = run.ownerId === null ? `ask/${run.queue}` : `worker/${run.ownerId}`;
    wakeups.publish([topic]);
    while (!signal.aborted) {
      const answer = await store.takeAnswer(queryId);
      if (answer !== null) return answer;
      const leftMs = until - world.clock.monotonic();
      if (leftMs <= 0) return null;
      await alarm.wait(Math.min(leftMs, pollMs / 4), signal);
    }
    return null;
  } finally {
    unsubscribe();
  }
}

// Questions on their way to a worker and answers on their way back. They leave no trace in any history, and those that
// nobody came back for are dropped.

import { laneOf, queueOfLane } from "../lanes.ts";
import type { QueryAnswer, QueryRequest, TakenQuery } from "../questions.ts";
import type { RunTable } from "./run-table.ts";

/** Far beyond the longest time anybody waits for an answer. */
const KEEP_QUESTIONS_MS = 10 * 60_000;

interface Question {
  readonly request: QueryRequest;
  readonly askedAt: number;
  answer: QueryAnswer | null;
}

export class Questions {
  readonly #asked = new Map<string, Question>();
  /** Those that no worker has taken yet, in the order of asking. */
  readonly #waiting = new Set<Question>();

  ask({ queryId, runId, queue, name, input }: QueryRequest, now: number): void {
    if (this.#asked.has(queryId)) return;
    const question = { request: Object.freeze({ queryId, runId, queue, name, input }), askedAt: now, answer: null };
    this.#asked.set(queryId, question);
    this.#waiting.add(question);
  }

  take(table: RunTable, workerId: string, lanes: readonly string[], limit: number): TakenQuery[] {
    const taken: TakenQuery[] = [];
    const queues = new Set(lanes.map(queueOfLane));
    for (const question of this.#waiting) {
      if (taken.length >= limit) break;
      const run = table.get(question.request.runId);
      const ownerId = run?.head?.ownerId ?? null;
      if (run === undefined || !queues.has(question.request.queue)) continue;
      if (ownerId === null ? !lanes.includes(laneOf(question.request.queue, run)) : ownerId !== workerId) continue;
      this.#waiting.delete(question);
      taken.push({ ...question.request, ownerId });
    }
    return taken;
  }

  answer(queryId: string, answer: QueryAnswer): void {
    const question = this.#asked.get(queryId);
    if (question === undefined) return;
    question.answer ??= Object.freeze({ ...answer });
    this.#waiting.delete(question);
  }

  takeAnswer(queryId: string): QueryAnswer | null {
    const answer = this.#asked.get(queryId)?.answer ?? null;
    if (answer !== null) this.#asked.delete(queryId);
    return answer;
  }

  forgetOld(now: number): void {
    for (const [queryId, question] of this.#asked) {
      if (now - question.askedAt <= KEEP_QUESTIONS_MS) continue;
      this.#asked.delete(queryId);
      this.#waiting.delete(question);
    }
  }
}

// How a run answers questions: from its state as it is, at once, changing nothing.

import { EverstepError } from "../../sdk/protocol/errors.ts";
import { encodePayload, type Payload } from "../../sdk/protocol/payload.ts";

type Handler = (input: Payload) => unknown;

export interface QuestionedRun {
  readonly runId: string;
  readonly workflowId: string;
}

export class Queries {
  readonly #run: QuestionedRun;
  readonly #handlers = new Map<string, Handler>();

  constructor(run: QuestionedRun) {
    this.#run = run;
  }

  handle(name: string, handler: Handler): void {
    this.#handlers.set(name, handler);
  }

  /** `evaluate` calls the handler where it can change nothing. Throws QUERY_UNKNOWN, QUERY_FAILED. */
  answer(name: string, input: Payload, evaluate: (handler: () => unknown) => unknown): Payload {
    const { runId, workflowId } = this.#run;
    const handler = this.#handlers.get(name);
    if (handler === undefined) {
      const known = [...this.#handlers.keys()].map((each) => `"${each}"`).join(", ") || "none";
      const message = `Run ${workflowId} has no handler for query "${name}". It answers: ${known}.`;
      throw new EverstepError("QUERY_UNKNOWN", message, { details: { runId, query: name } });
    }
    try {
      const answer = evaluate(() => handler(input));
      if (answer instanceof Promise) {
        answer.catch(() => {});
        throw new TypeError("the handler returned a promise; answer from the run's state, at once");
      }
      return encodePayload(answer, `answer of query "${name}"`);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const message = `Query "${name}" of run ${workflowId} failed: ${reason}. Its handler must answer at once and not throw.`;
      throw new EverstepError("QUERY_FAILED", message, { details: { runId, query: name }, cause: error });
    }
  }
}

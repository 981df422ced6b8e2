// Handlers of signals and updates that have begun and not ended. A run may close around them; then somebody should know.

import type { PendingHandler } from "../../sdk/protocol/pending-work.ts";
import type { UnfinishedPolicy } from "../../sdk/workflow/run-context.ts";

export class HandlersUnderWay {
  readonly #messages = new Map<PendingHandler, UnfinishedPolicy>();

  get areNone(): boolean {
    return this.#messages.size === 0;
  }

  /** Answers how to say that the handler has ended. */
  enter(message: PendingHandler, onUnfinished: UnfinishedPolicy): () => void {
    this.#messages.set(message, onUnfinished);
    return () => {
      this.#messages.delete(message);
    };
  }

  /** In the order in which they began. */
  all(): PendingHandler[] {
    return [...this.#messages.keys()];
  }

  /** Those that the run should not have closed around. */
  missed(): PendingHandler[] {
    return this.all().filter((message) => this.#messages.get(message) === "warn");
  }
}

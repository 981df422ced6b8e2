// Handlers of signals and updates that have begun and not ended. A run may close around them; then somebody should know.

import type { UnfinishedPolicy } from "../../sdk/workflow/run-context.ts";

export interface MessageUnderWay {
  readonly kind: "signal" | "update";
  readonly name: string;
  /** The signal's or update's id. */
  readonly id: string;
}

export class HandlersUnderWay {
  readonly #messages = new Map<MessageUnderWay, UnfinishedPolicy>();

  get areNone(): boolean {
    return this.#messages.size === 0;
  }

  /** Answers how to say that the handler has ended. */
  enter(message: MessageUnderWay, onUnfinished: UnfinishedPolicy): () => void {
    this.#messages.set(message, onUnfinished);
    return () => {
      this.#messages.delete(message);
    };
  }

  /** In the order in which they began. */
  all(): MessageUnderWay[] {
    return [...this.#messages.keys()];
  }

  /** Those that the run should not have closed around. */
  missed(): MessageUnderWay[] {
    return this.all().filter((message) => this.#messages.get(message) === "warn");
  }
}

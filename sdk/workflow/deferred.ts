// What a step's body returns when it hands off: its attempt goes on without it, and is completed from outside.

declare const RESULT: unique symbol;

/** The step will have a `Result`, and somebody else will bring it: see `StepContext.completeLater`. */
export interface Deferred<Result> {
  /** Of the type alone: nothing is here. */
  readonly [RESULT]: Result;
}

class HandOff {}

/** The one value that says it. It cannot be stored, so it never hides inside of a result. */
export const HANDED_OFF = Object.freeze(new HandOff()) as unknown as Deferred<never>;

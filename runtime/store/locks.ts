// Locks and semaphores, as stores keep them: one queue of requests per key, in the order in which the store took them. A
// request stands in it until it is released, waiting or granted; it goes with its run at the latest. The same words for every
// store.
//
//   1. The first that waits is granted as soon as its permits and those that are held come to no more than the smallest
//      capacity that it, or any request that holds, has named. Nobody overtakes it.
//   2. Its run is told by mail, put down with the grant: in its own mailbox where its head is not locked by somebody else, else
//      by an errand. What is let go of before the mail is taken is let go all the same.
//   3. Fencing tokens come from one sequence of the whole database, drawn while the key is locked: they grow with every grant
//      of a key, and need no row that would have to be kept for idle keys.
//   4. A fork asks in its own transaction for what its shared events say that it holds or waits for. Until it has again what it
//      held it is claimed by nobody; each such grant is an event, appended with the grant where the head is free, else by an
//      errand. So these events follow `RunForked`, and come before whatever the mailbox has.
//   5. A fork in the place of an open run steps into that run's places in the queues: nobody comes between them. What was held
//      is granted at once, with a new token.

import type { LockGranted, LockRegained } from "../../sdk/protocol/event.ts";
import { type Answer, type Asker, answerErrand, type Errand } from "./errands.ts";

export interface LockRequest {
  readonly runId: string;
  /** By which the run asks. */
  readonly command: number;
  readonly key: string;
  readonly permits: number;
  readonly capacity: number;
  /** The run, a fork, held it in its shared events: it stands still until this is granted. Absent: it does not. */
  readonly isRegained?: boolean;
}

export interface LockRelease {
  readonly runId: string;
  /** Null: all that the run holds or waits for. */
  readonly command: number | null;
}

/** What a turn does to queues: first it lets go, then it asks. */
export interface LockChanges {
  readonly requests: readonly LockRequest[];
  readonly releases: readonly LockRelease[];
}

export interface LockGrant {
  readonly runId: string;
  readonly command: number;
  readonly key: string;
  readonly fencingToken: number;
  /** As the request says. */
  readonly isRegained: boolean;
}

/** A run steps into the places of another: those that it asks for by the same commands and keys. */
export interface LockHandOver {
  readonly from: string;
  readonly to: string;
}

export interface ListLocksRequest {
  /** Null: of every key. */
  readonly key: string | null;
  readonly limit: number;
}

export function grantAnswer({ runId, command, key, fencingToken }: LockGrant): { asker: Asker; answer: Answer } {
  const answer: Omit<LockGranted, "mail"> = { type: "LockGranted", command, name: key, fencingToken };
  return { asker: { runId, command, name: key }, answer };
}

/** What the history of a run that stood still has of it. */
export function regainedEvent({ command, key, fencingToken }: LockGrant): LockRegained {
  return { type: "LockRegained", command, name: key, fencingToken };
}

export function grantErrand(grant: LockGrant): Errand {
  if (grant.isRegained) return { do: "regain", grant };
  const { asker, answer } = grantAnswer(grant);
  return answerErrand(asker, answer);
}

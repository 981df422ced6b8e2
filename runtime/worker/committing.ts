// What commits and runs know of each other.

import type { MailItem } from "../store/mail.ts";
import type { SentTurn } from "./outbox.ts";

/** A run as the committer sees it. */
export interface Committing {
  readonly runId: string;
  /** It has begun here and was never parked: somebody may be waiting for it. */
  readonly isNew: boolean;
  /** The next turn to send; undefined when there is nothing, or when one is on its way already. */
  takeTurn(): SentTurn | undefined;
  /** The turn is in the history, for good. */
  committed(sent: SentTurn, at: number): void;
  /** The turn would have closed the run, but there is mail first. */
  mailBeforeClose(sent: SentTurn): void;
  /** Mail that the store has put down with a turn of the run. */
  receive(item: MailItem): void;
  /** The run may have mail that it was not handed. */
  wantMail(): void;
  /** Somebody else owns the run, or it is closed. */
  lost(): void;
  /** Cannot be carried on here; what becomes of its turn is for the next owner to see. */
  giveBack(why: string): void;
  /** The store will never accept this turn. */
  rejected(error: Error, sent: SentTurn): void;
  /** False once the run was given up: what becomes of its turn no longer matters here. */
  readonly isOurs: boolean;
}

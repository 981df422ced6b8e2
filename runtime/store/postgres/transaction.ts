// What the body of a transaction step gets to write through. The transaction is ours: it can be used while the step
// runs, and cannot be ended from inside, or the step's writes would commit without its event.

import { EverstepError } from "../../../sdk/protocol/errors.ts";
import type { Transaction } from "../store.ts";
import { Abort, type Session } from "./connection.ts";

const ENDS_TRANSACTION =
  /^\s*(begin|start\s+transaction|commit|end|abort|rollback(?!\s+(work\s+|transaction\s+)?to\b)|prepare\s+transaction)\b/i;

/** Runs `work` on the open transaction. What it throws is wrapped, so that it is not taken for an error of the store. */
export async function runInside<T>(session: Session, work: (tx: Transaction) => Promise<T>): Promise<T> {
  let isOpen = true;
  const tx: Transaction = {
    query: async (text, values = []) => {
      if (!isOpen) {
        throw new EverstepError(
          "ARGUMENT_INVALID",
          "A transaction was used after its step had returned. Await every query inside the step.",
        );
      }
      if (ENDS_TRANSACTION.test(text)) {
        throw new EverstepError(
          "ARGUMENT_INVALID",
          `A transaction step may not begin or end transactions, and asked for: ${text.trim().slice(0, 40)}. It commits by returning and rolls back by throwing; savepoints are fine.`,
        );
      }
      const { rows, rowCount } = await session.raw(text, values);
      return { rows, rowCount };
    },
  };
  try {
    return await work(tx);
  } catch (error) {
    throw new Abort(error);
  } finally {
    isOpen = false;
  }
}

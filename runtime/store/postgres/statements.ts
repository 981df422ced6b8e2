// The statements that this store is made of. All that are kept are known here, so that whatever has to be true of every one can be
// shown of every one: that its plan goes by indexes, above all.

import { invariant } from "../../../sdk/protocol/errors.ts";

/** SQL, and the name it is prepared under where it is kept. There are no others than those made here. */
export interface Statement {
  readonly name: string;
  readonly text: string;
  readonly [MADE_HERE]: true;
}

declare const MADE_HERE: unique symbol;

type Said = Pick<Statement, "name" | "text">;

const PREPARED = new Map<string, Statement>();

/** By a name that no other has: a connection would take the one for the other. */
export function prepared(statement: Said): Statement {
  if (PREPARED.has(statement.name)) invariant(false, "a statement has a name of its own", { name: statement.name });
  PREPARED.set(statement.name, statement as Statement);
  return statement as Statement;
}

/** Put together for what a caller asks: one of many. Without a name it is planned when it is sent, by what is known then. */
export function composed(text: string): Statement {
  return { name: "", text } as Statement;
}

/** Those of the modules that are loaded. */
export function preparedStatements(): readonly Statement[] {
  return [...PREPARED.values()];
}

// What a fork shares with its source in another stored form, put down piece by piece.

import type { ForkRequest } from "../forks.ts";
import { names, plain, textColumn, texts } from "./columns.ts";
import type { Session } from "./connection.ts";
import { insertEvents } from "./importing.ts";
import { lookup } from "./lookup.ts";
import { pieces, sizeOfEvent, sizeOfMail } from "./pieces.ts";
import { uuidOf } from "./run-id.ts";
import { prepared } from "./statements.ts";

// By the sender's ids: places in the mailbox are given by the statement that makes the fork.
const PUT_MAIL_ANEW = prepared({
  name: "everstep_fork_mail_anew",
  text: `
    update everstep.mail m set payload = a.payload, refusal = a.refusal
    from (
      select $1::uuid as run_id, a.*
      from unnest($2::int[], ${[3, 4, 5].map(textColumn).join(", ")}) a(place, mail_id, payload, refusal)
      where place is not null offset 0) a
    where ${lookup("coalesce(m.chain_id, m.run_id)", "a.run_id")} and ${lookup("m.mail_id", "a.mail_id")}`,
});

/** The fork has been made in this transaction, without its shared events, and with its mail as it is kept for the source. */
export async function putAnew(session: Session, { runId, anew }: ForkRequest): Promise<void> {
  if (anew === undefined) return;
  for (const piece of pieces(anew.events, sizeOfEvent)) {
    await insertEvents(session, { runId, tag: uuidOf(runId) }, piece);
  }
  for (const piece of pieces(anew.mail, sizeOfMail)) {
    await session.query(PUT_MAIL_ANEW, [
      uuidOf(runId),
      plain(piece.map((_, place) => place)),
      names(piece.map(({ mailId }) => mailId)),
      texts(piece.map(({ payload }) => payload)),
      texts(piece.map(({ refusal }) => (refusal === null ? null : JSON.stringify(refusal)))),
    ]);
  }
}

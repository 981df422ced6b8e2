// The mail of a run that its fork is to have, looked at before anything is done: by a client without codecs, which can only
// have it copied as it is, and by a dry run.

import { refuseUnreadable } from "../../sdk/protocol/payload-encoded.ts";
import type { ForkRequest } from "../store/forks.ts";
import { mailPages } from "../store/pages.ts";
import type { RunDetail } from "../store/runs.ts";
import type { Store } from "../store/store.ts";

/**
 * The request, limited to the signals that were looked at. Where the fork ends its source it is not: it has the workflow id
 * of the source then, to which a signal is bound, so that one which comes later is readable to whom it was before. Throws
 * PAYLOAD_UNREADABLE.
 */
export async function withReadableMail(
  store: Pick<Store, "readMail">,
  { runId, workflowId }: RunDetail,
  request: ForkRequest,
): Promise<ForkRequest> {
  const { takenMail, keepsSignals, terminates } = request;
  let seenMail = 0;
  for await (const page of mailPages(store, runId, 0)) {
    for (const { mail, kind, payload } of page) {
      const isShared = mail <= takenMail || (keepsSignals && kind === "signal");
      if (isShared) refuseUnreadable(payload, `Run ${workflowId} is not forked: its mail ${mail} (${kind})`);
    }
    seenMail = page.at(-1)?.mail ?? seenMail;
    if (!keepsSignals && seenMail >= takenMail) break;
  }
  return terminates === null ? { ...request, seenMail } : request;
}

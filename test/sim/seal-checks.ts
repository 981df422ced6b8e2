// Nothing that workflow code or its callers said may be read in the store, where payloads are sealed: neither in histories
// nor in mailboxes, wherever in a record it would stand.

import type { Store } from "../../runtime/store/store.ts";
import { EVENT_CODES } from "../../sdk/protocol/event.ts";
import type { FinalOptions } from "./final-checks.ts";

/** What inputs, results, failures, signals, reports and deliveries of simulated runs hold. */
const SAID =
  /"nonce"|result \d|said in|refused in|alive in|another result|failed in attempt|cannot work|"deliveryId"|"id":/;

export async function checkSeals(
  kept: Store,
  { witness, probes, violation }: Pick<FinalOptions, "witness" | "probes" | "violation">,
): Promise<void> {
  const all = Number.MAX_SAFE_INTEGER;
  for (const runId of witness.runs.keys()) {
    for (const { seq, type, payload, data } of await kept.readHistory(runId, 0, all)) {
      const isSealed = payload?.startsWith('{"$everstep":"encoded"') ?? false;
      if (isSealed) probes.hit("codec: payload sealed");
      // Why a child was not started, or mail to another run not delivered, is said by the store, which has no codecs.
      const isOwn = type === EVENT_CODES.ChildStartFailed || type === EVENT_CODES.ExternalFailed;
      if (payload !== null && !isSealed && !(isOwn && !SAID.test(payload)))
        violation("codec", `event ${seq} (${type}) of run ${runId} is kept plain: ${payload}`);
      if (SAID.test(data ?? "")) violation("codec", `event ${seq} of run ${runId} tells in ${data}`);
    }
    for (const { mailId, payload } of await kept.readMail([{ runId, after: 0 }], all)) {
      if (SAID.test(payload ?? "")) violation("codec", `mail ${mailId} of run ${runId} is kept plain: ${payload}`);
    }
  }
}

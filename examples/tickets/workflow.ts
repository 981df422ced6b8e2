// A ticket that says what it is about as it goes on: people who look after tickets find it by that.

import { defineAttributes, defineSignal, upsertAttributes, upsertMemo, workflow } from "everstep";

export interface Ticket {
  readonly customer: string;
  readonly text: string;
}

/** What tickets are found by, in the workflow and outside. */
export const tickets = defineAttributes({ customer: "keyword", urgency: "int", labels: "keywordList" });

export const triage = defineSignal<{ urgency: number; labels: readonly string[] }>("triage");
export const resolve = defineSignal<{ answer: string }>("resolve");

export const ticket = workflow("ticket", async (_ticket: Ticket) => {
  upsertAttributes(tickets({ urgency: 0 }));
  triage.handle(({ urgency, labels }) => upsertAttributes(tickets({ urgency, labels })));

  const { answer } = await resolve.receive();
  upsertAttributes(tickets({ urgency: null }));
  upsertMemo({ answer });
  return answer;
});

// What a webhook is known by: to code by its token, in histories and mailboxes by a hash of it. The token is the result of the
// step that made it, so it is as secret as the run's history is, and no more: chance that workflow code draws would be
// less, since whoever sees some of that can work out the rest.

import { createHash } from "node:crypto";
import type { Payload } from "./payload.ts";
import { RESERVED_PREFIX } from "./pending-work.ts";

const STEP = `${RESERVED_PREFIX}webhook `;
const ID_LENGTH = 22;

/** A delivery in stored form. */
export interface WebhookCall {
  readonly deliveryId: string | null;
  readonly payload: Payload;
}

/** The name of the step that makes the token. */
export function webhookStep(name: string): string {
  return `${STEP}${name}`;
}

export function isWebhookStep(name: string): boolean {
  return name.startsWith(STEP);
}

/** What may be shown of a token. */
function webhookId(token: string): string {
  return createHash("sha256").update(token).digest("base64url").slice(0, ID_LENGTH);
}

/** The name of the signal by which deliveries come. */
export function webhookSignal(step: string, token: string): string {
  return `${step} ${webhookId(token)}`;
}

/** The same delivery of another webhook is another. */
export function webhookSignalId(deliveryId: string, token: string): string {
  return `${STEP}${webhookId(token)} ${deliveryId}`;
}

const ID = new RegExp(`(${STEP.replaceAll(".", "\\.")}(?:.* )?)[\\w-]{${ID_LENGTH}}(?=$| )`);

/** A name or id of the history without what is drawn anew each time that the webhook is made. */
export function withoutWebhookId(text: string): string {
  return text.replace(ID, "$1…");
}

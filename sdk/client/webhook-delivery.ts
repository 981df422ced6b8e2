// What the world delivers to a webhook, in stored form. It is from strangers: nothing of it but text is kept, so that nothing in
// it is ever taken for more.

import { EverstepError } from "../protocol/errors.ts";
import { encodePayload } from "../protocol/payload.ts";
import type { WebhookCall } from "../protocol/webhook.ts";
import type { StoredDelivery, WebhookRequest } from "../workflow/webhook.ts";

export interface DeliveryOptions {
  /** By which the sender knows the delivery: again with the same id, it changes nothing. Default: each call is another. */
  readonly deliveryId?: string;
}

/** Throws ARGUMENT_INVALID for anything but text, PAYLOAD_TOO_LARGE. */
export function webhookCall(request: WebhookRequest, { deliveryId }: DeliveryOptions): WebhookCall {
  const { method = "POST", headers = {}, query = "", body = "" } = request;
  const named = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value] as const);
  const stored: StoredDelivery = {
    deliveryId: deliveryId ?? null,
    method,
    headers: Object.fromEntries(named.filter(([name]) => name !== "__proto__")),
    query,
    body,
  };
  for (const [part, value] of [...Object.entries({ method, query, body }), ...named]) {
    if (typeof value === "string") continue;
    const message = `deliverWebhook() takes text; "${part}" is ${typeof value}. Give a body of JSON as it came.`;
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: part } });
  }
  return { deliveryId: stored.deliveryId, payload: encodePayload(stored, "delivery to a webhook") };
}

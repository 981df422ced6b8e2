// As the run that receives it knows a delivery to a webhook: by the sender's id, apart for each webhook.

import { webhookSignalId } from "../../sdk/protocol/webhook.ts";

export function deliveredAs(deliveryId: string, token: string): string {
  return `signal:${webhookSignalId(deliveryId, token)}`;
}

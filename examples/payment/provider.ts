// Stands for a payment provider. It calls back when a payment was made, signs what it says, and says it twice.

import { createHmac, timingSafeEqual } from "node:crypto";

const SECRET = "shared with the provider";

export interface Registered {
  readonly order: string;
  readonly callbackUrl: string;
}

export const registered: Registered[] = [];

/** What the workflow's step calls. By the key it knows that it was told before. */
export async function register(payment: Registered): Promise<void> {
  registered.push(payment);
}

const signatureOf = (body: string) => createHmac("sha256", SECRET).update(body).digest("hex");

export function isSigned(body: string, signature: string | undefined): boolean {
  const [given, right] = [Buffer.from(signature ?? ""), Buffer.from(signatureOf(body))];
  return given.length === right.length && timingSafeEqual(given, right);
}

/** A request as the provider makes it. */
export function deliveryOf(event: object, eventId: string): { headers: Record<string, string>; body: string } {
  const body = JSON.stringify(event);
  return { headers: { "webhook-id": eventId, "x-signature": signatureOf(body) }, body };
}

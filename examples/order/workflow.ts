// An order: charge the card, wait for somebody's approval, ship. Whatever goes wrong after the charge, or whoever cancels,
// the money goes back: compensation is `catch`, as in any other function.

import { defineQuery, defineSignal, nonCancellable, PermanentError, step, workflow } from "everstep";
import { payments } from "./payments.ts";

export interface Order {
  readonly item: string;
  readonly card: string;
  readonly total: number;
  readonly address: string;
}

export type OrderStatus = "charging" | "waiting for approval" | "shipping" | "shipped" | "refunding" | "refunded";

export const approve = defineSignal<{ by: string }>("approve");
export const status = defineQuery<OrderStatus>("status");

export const order = workflow("order", async (input: Order) => {
  let phase: OrderStatus = "charging";
  status.handle(() => phase);

  const charge = await step(
    "charge",
    // The key is the same on every attempt: the provider charges once, however often it is asked.
    ({ idempotencyKey }) => payments.charge(input.card, input.total, idempotencyKey),
    { retry: { maxAttempts: 5, initialInterval: "200ms", nonRetryable: ["CardDeclined"] }, timeout: "10s" },
  );

  try {
    phase = "waiting for approval";
    const { by } = await approve.receive();

    phase = "shipping";
    const parcel = await step("ship", () => ship(input));

    phase = "shipped";
    return { parcel, approvedBy: by, charged: charge.amount };
  } catch (error) {
    phase = "refunding";
    // A canceled run starts nothing new; what must happen nevertheless says so.
    await nonCancellable(() => step("refund", () => payments.refund(charge.chargeId)));
    phase = "refunded";
    throw error;
  }
});

function ship({ item, address }: Order): string {
  if (address === "") throw new PermanentError("the order has no address"); // trying again would not help
  return `${item} to ${address}`;
}

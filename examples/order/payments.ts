// Stands for the provider on the other side of the network: unreliable, and it knows a request it has seen before.

export interface Charge {
  readonly chargeId: string;
  readonly amount: number;
}

export class CardDeclined extends Error {}

const charges = new Map<string, Charge>();
const refunded = new Set<string>();
const requests = new Map<string, number>();

export const payments = {
  async charge(card: string, amount: number, idempotencyKey: string): Promise<Charge> {
    const known = charges.get(idempotencyKey);
    if (known !== undefined) return known;
    if (card === "declined") throw new CardDeclined("the bank declined the card");
    const request = (requests.get(idempotencyKey) ?? 0) + 1;
    requests.set(idempotencyKey, request);
    if (request < 3) throw new Error(`503 from the payment provider, request ${request}`);
    const charge = { chargeId: `ch_${charges.size + 1}`, amount };
    charges.set(idempotencyKey, charge);
    return charge;
  },

  async refund(chargeId: string): Promise<void> {
    refunded.add(chargeId); // refunding twice is refunding once
  },

  /** The provider's own books, for the example to show. */
  books(): { charged: number; refunded: number } {
    return { charged: charges.size, refunded: refunded.size };
  },
};

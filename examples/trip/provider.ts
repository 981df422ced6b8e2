// Stands for the systems of an airline, a hotel and a car rental: in memory, and known by heart.

export type Kind = "flight" | "hotel" | "car";

class SoldOut extends Error {}

const bookings = new Map<string, { readonly what: string; isCanceled: boolean }>();
const looks = new Map<string, number>();
const canceled: string[] = [];

export const provider = {
  book(kind: Kind, customer: string, to: string, idempotencyKey: string): string {
    if (kind === "car" && to === "Venice") throw new SoldOut("there are no cars in Venice");
    const what = `${kind} of ${customer} to ${to}`;
    if (!bookings.has(idempotencyKey)) bookings.set(idempotencyKey, { what, isCanceled: false });
    return what;
  },

  cancel(booking: string): void {
    canceled.push(booking);
    for (const each of bookings.values()) if (each.what === booking) each.isCanceled = true;
  },

  /** Airlines take their time. */
  isConfirmed(flight: string): boolean {
    const count = (looks.get(flight) ?? 0) + 1;
    looks.set(flight, count);
    return count >= 3;
  },

  /** In the order of canceling. */
  get canceled(): readonly string[] {
    return canceled;
  },

  get booked(): string[] {
    return [...bookings.values()].filter(({ isCanceled }) => !isCanceled).map(({ what }) => what);
  },
};

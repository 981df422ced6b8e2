// A trip: flight, hotel and car, all of them or none. What was booked is undone in reverse when the rest cannot be had, when
// the customer cancels, and when the worker dies in the middle: the next one goes on undoing where it was.

import { type Compensations, defineSignal, PermanentError, parallel, poll, saga, step, workflow } from "everstep";
import { type Kind, provider } from "./provider.ts";

export interface Trip {
  readonly customer: string;
  readonly to: string;
}

export const pay = defineSignal<{ cents: number }>("pay");

export const trip = workflow("trip", async (input: Trip) =>
  saga(async (undo) => {
    const flight = await book("flight", input, undo);
    // Side by side: when one cannot be had the other is told to stop, and waited for before anything is undone.
    const [hotel, car] = await parallel([() => book("hotel", input, undo), () => book("car", input, undo)]);

    const confirmed = await poll("airline confirms", () => provider.isConfirmed(flight), {
      every: "50ms",
      backoff: 2,
      timeout: "1 minute",
    });
    if (confirmed === undefined) throw new PermanentError("the airline did not confirm in time");

    const { cents } = await pay.receive();
    return { flight, hotel, car, paid: cents };
  }),
);

async function book(kind: Kind, { customer, to }: Trip, undo: Compensations): Promise<string> {
  const booking = await step(
    `book ${kind}`,
    // The key is the same on every attempt: the provider books once, however often it is asked.
    ({ idempotencyKey }) => provider.book(kind, customer, to, idempotencyKey),
    { retry: { maxAttempts: 3, initialInterval: "100ms", nonRetryable: ["SoldOut"] } },
  );
  undo.add(kind, () => step(`cancel ${kind}`, () => provider.cancel(booking)));
  return booking;
}

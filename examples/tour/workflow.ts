// A tour is a run that has its parts done by child runs. A part that cannot be had fails the tour, and what is still
// being booked by then ends with it: nobody has to clean up.

import { ChildFailure, defineSignal, executeChild, PermanentError, startChild, step, workflow } from "everstep";

export const confirmed = defineSignal<string>("confirmed");

/** Waits for a person at the hotel, who may take days. */
export const hotel = workflow("hotel", async (city: string) => {
  const room = await confirmed.receive();
  return step("book the room", () => `${room} in ${city}`);
});

export const flight = workflow("flight", async (city: string) =>
  step("book the seat", () => {
    if (city === "Atlantis") throw new PermanentError("nobody flies to Atlantis");
    return `12A to ${city}`;
  }),
);

export const tour = workflow("tour", async (city: string) => {
  const room = startChild(hotel, { input: city, id: `hotel-${city}` });
  await room.started;
  try {
    const seat = await executeChild(flight, { input: city, id: `flight-${city}` });
    return `seat ${seat}, room ${await room.result}`;
  } catch (error) {
    if (!(error instanceof ChildFailure)) throw error;
    return `no tour: the ${error.workflow} could not be had`;
  }
});

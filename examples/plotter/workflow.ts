// A drawing is plotted on the only plotter there is, then cut on one of two cutters.

import { defineSemaphore, sleep, step, TimeoutFailure, withLock, workflow } from "everstep";
import { plotter } from "./plotter.ts";

export const cutters = defineSemaphore("cutters", { permits: 2 });

export const drawing = workflow("drawing", async (name: string) => {
  const sheet = await withLock("plotter", async (lock) => {
    const drawn = await step("draw", () => plotter.draw(name, lock.fencingToken));
    // Nobody draws while the ink dries, whichever worker this run is on by then.
    await sleep("1s");
    return drawn;
  });
  return cutters.with(() => step("cut", () => `${name}: ${sheet}, cut`));
});

/** Not worth waiting for. */
export const doodle = workflow("doodle", async (name: string) => {
  try {
    return await withLock("plotter", (lock) => step("draw", () => plotter.draw(name, lock.fencingToken)), {
      timeout: "100ms",
    });
  } catch (error) {
    if (error instanceof TimeoutFailure) return `${name}: the plotter is busy`;
    throw error;
  }
});

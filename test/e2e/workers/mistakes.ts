// What authors do by mistake. Each costs its own run or attempt, never the process.

import { connect } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { defineQuery, sleep, step, workflow } from "everstep";

export const known = defineQuery<string>("known");

export const fetches = workflow("fetches", async () => {
  await fetch("http://127.0.0.1/");
});

export const forgetsToAwait = workflow("forgetsToAwait", async () => {
  void step("doomed", () => Promise.reject(new TypeError("nobody looks")), { retry: { maxAttempts: 1 } });
  await sleep("1 hour");
});

export const throwsAside = workflow("throwsAside", async () => {
  queueMicrotask(() => {
    throw new TypeError("aside");
  });
  await sleep("1 hour");
});

/** In steps; each fails at first in a way that nobody catches, and a second attempt helps. */
const MISHAPS = {
  rejection: () => void Promise.reject(new TypeError("rejection")),
  callback: () => {
    setTimeout(() => {
      throw new TypeError("callback");
    }, 1);
  },
  event: () => {
    // Nobody listens at port 1, and nobody listens for its error.
    connect(1, "127.0.0.1");
  },
  microtask: () => {
    queueMicrotask(() => {
      throw new TypeError("microtask");
    });
  },
};

export const mishap = workflow("mishap", async (which: keyof typeof MISHAPS) =>
  step(
    "mishap",
    async ({ attempt, signal }) => {
      if (attempt === 1) {
        MISHAPS[which]();
        await wait(60_000, undefined, { signal });
      }
      return attempt;
    },
    { retry: { initialInterval: 10 } },
  ),
);

export const stepInStep = workflow("stepInStep", async () =>
  step("outer", () => step("inner", () => 1), { retry: { maxAttempts: 1 } }),
);

export const unstorable = workflow("unstorable", async (where: "step" | "result") => {
  const value = { order: { lines: [{ price: 1 }, { price: () => 2 }] } };
  if (where === "result") return value;
  return step("makes", () => value);
});

export const tooLarge = workflow("tooLarge", async () => step("makes", () => "x".repeat(5_000_000)));

export const answers = workflow("answers", async () => {
  known.handle(() => "yes");
  await sleep("1 hour");
});

export const fine = workflow("fine", async (value: number) => step("echo", () => value));

// What a step throws reaches the code that catches it, the replay of that code, and the client, with every error of its
// chain: name, message, stack, details, code, and whether trying again could help.

import { expect, test } from "vitest";
import {
  ApplicationFailure,
  defineSignal,
  PermanentError,
  RetryableError,
  StepFailure,
  sleep,
  step,
  transaction,
  workflow,
} from "../../sdk/index.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import { eventually } from "../support/eventually.ts";
import { historyOf, openHouse } from "../support/local-worker.ts";
import { replay } from "../support/replaying.ts";

class CardDeclined extends Error {
  readonly code = "card_declined";
}

/** One of each kind that can stand in a chain, the outermost first. */
function chained(): Error {
  const root = Object.assign(new RangeError("limit 0"), { code: "ERANGE" });
  const declined = new CardDeclined("the bank said no", { cause: root });
  const refused = new EverstepError("ARGUMENT_INVALID", "not an amount", { details: { amount: -1 }, cause: declined });
  const later = new RetryableError("try later", { details: new Map([["seconds", 3]]), cause: refused });
  return new PermanentError("gave up", { type: "PaymentLost", details: { order: 42n }, cause: later });
}

interface Seen {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  readonly code: unknown;
  readonly details: unknown;
  readonly retryable: unknown;
}

function chainOf(error: unknown): Seen[] {
  if (!(error instanceof Error)) return [];
  const { name, message, stack, code, details, retryable } = error as Error & Partial<Seen>;
  return [{ name, message, stack, code, details, retryable }, ...chainOf(error.cause)];
}

const CHAIN = [
  { name: "PaymentLost", message: "gave up", details: { order: 42n }, retryable: false },
  { name: "RetryableError", message: "try later", details: new Map([["seconds", 3]]), retryable: true },
  {
    name: "EverstepError",
    message: "not an amount",
    details: { amount: -1 },
    code: "ARGUMENT_INVALID",
    retryable: false,
  },
  { name: "CardDeclined", message: "the bank said no", code: "card_declined", retryable: true },
  { name: "RangeError", message: "limit 0", code: "ERANGE" },
];

const go = defineSignal("go");

test.each(["step", "transaction"] as const)(
  "a chain thrown in a %s is the same in the code, at its replay, and at the client",
  async (kind) => {
    const thrown = chained();
    const seen: Seen[][] = [];
    const body = () => {
      throw thrown;
    };
    const pays = workflow("pays", async () => {
      try {
        await (kind === "step" ? step("pay", body) : transaction("pay", body));
      } catch (error) {
        seen.push(chainOf(error));
        await go.receive();
        throw new Error("cannot be paid", { cause: error });
      }
    });
    const house = openHouse();
    const worker = await house.startWorker([pays], { lingerMs: 1 });
    const run = await house.client.start(pays);
    await eventually("the run is parked", () => worker.stats.parked > 0);
    await run.signal(go);
    const failed: Error = await run.result().then(
      () => {
        throw new Error("it did not fail");
      },
      (error) => error,
    );

    const [live = [], again] = seen;
    expect(live[0]).toMatchObject({ name: "StepFailure", message: expect.stringContaining("PaymentLost: gave up") });
    expect(live.slice(1)).toMatchObject(CHAIN);
    expect(again).toEqual(live);
    expect(live.slice(1).map(({ stack }) => stack)).toEqual(chainOf(thrown).map(({ stack }) => stack));

    const [outer, wrapped, ...rest] = chainOf(failed);
    expect(outer).toMatchObject({ code: "RUN_FAILED", retryable: false });
    expect(wrapped).toMatchObject({ name: "Error", message: "cannot be paid" });
    expect(wrapped?.stack).toContain("failure-chains.test.ts");
    expect(rest).toEqual(live);

    const replayed = await replay(pays, await historyOf(run));
    expect(replayed.engine.broken).toBeUndefined();
  },
);

test("a chain survives a step in a step's place: a client's error, thrown on by another run", async () => {
  const house = openHouse();
  const inner = workflow("inner", async () => {
    await step("pay", () => {
      throw chained();
    });
  });
  const outer = workflow("outer", async () => {
    await step("inner", async () => (await house.client.start(inner)).result(), { retry: { maxAttempts: 1 } });
  });
  await house.startWorker([inner, outer]);
  const failed: unknown = await house.client
    .start(outer)
    .then((run) => run.result())
    .catch((error: unknown) => error);
  const names = chainOf(failed).map(({ name, code }) => code ?? name);
  expect(names).toEqual([
    "RUN_FAILED",
    "StepFailure",
    "RUN_FAILED",
    "StepFailure",
    "PaymentLost",
    "RetryableError",
    "ARGUMENT_INVALID",
    "card_declined",
    "ERANGE",
  ]);
  expect(chainOf(failed).slice(4)).toMatchObject(CHAIN);
});

test("nobody's classes are lost to instanceof: kinds, the language's own, and ours", async () => {
  const house = openHouse();
  const caught: unknown[] = [];
  const pays = workflow("pays", async () => {
    await step("pay", () => {
      throw chained();
    }).catch((error: unknown) => {
      for (let at: unknown = error; at instanceof Error; at = at.cause) caught.push(at);
    });
    await sleep(1);
  });
  await house.startWorker([pays]);
  await (await house.client.start(pays)).result();
  const classes = [StepFailure, ApplicationFailure, ApplicationFailure, EverstepError, ApplicationFailure, RangeError];
  for (const [index, each] of classes.entries()) expect(caught[index]).toBeInstanceOf(each);
});

test("what stopped a step for good is not tried again, wherever it stands in a chain that is thrown on", async () => {
  const house = openHouse();
  let attempts = 0;
  const pays = workflow("pays", async () => {
    const failure = await step("first", () => {
      throw new PermanentError("never", { details: { reason: "closed account" } });
    }).catch((error: StepFailure) => error.cause);
    await step("second", () => {
      attempts++;
      throw failure;
    });
  });
  await house.startWorker([pays]);
  const run = await house.client.start(pays);
  await expect(run.result()).rejects.toMatchObject({
    cause: { step: "second", attempts: 1, cause: { retryable: false, details: { reason: "closed account" } } },
  });
  expect(attempts).toBe(1);
});

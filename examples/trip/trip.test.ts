// All of a trip or nothing of it: what was booked and what was canceled, whatever goes wrong.

import "everstep/testing/vitest";
import { PermanentError } from "everstep";
import { crashEverywhere, interleavings, type TestEnvironment, testEnvironment } from "everstep/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { pay, trip } from "./workflow.ts";

const input = { customer: "Ann", to: "Rome" };
const KINDS = ["flight", "hotel", "car"] as const;

let env: TestEnvironment;
let agency: ReturnType<typeof mockAgency>;

beforeEach(async () => {
  env = await testEnvironment({ workflows: [trip], onlyMockedSteps: true });
  agency = mockAgency(env);
});

afterEach(() => env.stop());

/** Books everything, and knows what is booked. The airline confirms when it is asked for the third time. */
function mockAgency(env: TestEnvironment) {
  const booked = new Set<string>();
  const canceled: string[] = [];
  for (const kind of KINDS) {
    env.mockStep(`book ${kind}`, () => {
      booked.add(kind);
      return kind;
    });
    env.mockStep(`cancel ${kind}`, () => {
      booked.delete(kind);
      canceled.push(kind);
    });
  }
  const looks = new Set<string>();
  env.mockStep("airline confirms", ({ idempotencyKey }) => looks.add(idempotencyKey).size >= 3);
  return { booked, canceled };
}

test("a trip that is paid for is booked", async () => {
  const run = await env.client.start(trip, { input });
  await env.advance("1m");
  await expect(run).toBeWaitingFor(pay);
  await run.signal(pay, { cents: 120_000 });
  await expect(run).toHaveCompleted({ flight: "flight", hotel: "hotel", car: "car", paid: 120_000 });
  expect([...agency.booked]).toEqual(["flight", "hotel", "car"]);
});

test("without a car there is no trip: the hotel is canceled, then the flight", async () => {
  env.mockStep("book car", () => {
    throw new PermanentError("there are no cars in Rome");
  });
  const run = await env.client.start(trip, { input });
  await expect(run.result()).rejects.toThrow("there are no cars in Rome");
  expect(agency.canceled).toEqual(["hotel", "flight"]);
});

test("an airline that says nothing for a minute loses the passenger", async () => {
  env.mockStep("airline confirms", () => false);
  const run = await env.client.start(trip, { input });
  const begun = env.now().getTime();
  await expect(run.result()).rejects.toThrow("the airline did not confirm in time");
  expect(env.now().getTime() - begun).toBe(60_000);
  expect([...agency.booked]).toEqual([]);
});

test("undoing is tried until it is done", async () => {
  const flight = env.mockStep("cancel flight", () => void agency.booked.delete("flight"), { failFirst: 5 });
  const run = await env.client.start(trip, { input });
  await env.advance("1m");
  await run.cancel("Ann stays at home");
  await expect(run.result()).rejects.toMatchObject({ status: "canceled" });
  expect(flight.calls).toHaveLength(6);
  expect([...agency.booked]).toEqual([]);
});

test("no crash leaves anything booked of a canceled trip, wherever it is", async () => {
  const { crashes, places } = await crashEverywhere(trip, {
    input,
    prepare: (env) => {
      agency = mockAgency(env);
    },
    script: async (run, env) => {
      await env.advance("1m");
      await run.cancel("Ann stays at home");
      await run.result().catch(() => {});
      expect([...agency.booked]).toEqual([]);
    },
  });
  expect(crashes).toBe(places);
});

test("hotel and car may be booked in any order, and canceled at any moment of it", async () => {
  await interleavings(trip, {
    input,
    seeds: 20,
    longest: "10s", // each booking takes its time, drawn by the seed
    prepare: (env) => {
      agency = mockAgency(env);
    },
    script: async (run, env) => {
      await env.advance("8s", { pastSteps: true });
      await run.cancel("Ann stays at home");
    },
    check: ({ events }) => {
      expect(events.at(-1)?.type).toBe("RunCanceled");
      expect([...agency.booked]).toEqual([]);
    },
  });
});

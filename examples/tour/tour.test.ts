// A tour comes off or it does not, and its hotel with it; whenever the worker dies.

import { crashEverywhere, type TestEnvironment, testEnvironment } from "everstep/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { confirmed, flight, hotel, tour } from "./workflow.ts";

let env: TestEnvironment;

beforeEach(async () => {
  env = await testEnvironment({ workflows: [tour, hotel, flight] });
});

afterEach(() => env.stop());

test("a tour has its seat and its room", async () => {
  const run = await env.client.start(tour, { input: "Lisbon" });
  await env.advance("3 days");
  await env.client.get(hotel, "hotel-Lisbon").signal(confirmed, "room 7");
  expect(await run.result()).toBe("seat 12A to Lisbon, room room 7 in Lisbon");
});

test("a tour that nobody flies ends, and its hotel with it", async () => {
  const run = await env.client.start(tour, { input: "Atlantis" });
  expect(await run.result()).toBe("no tour: the flight could not be had");
  await expect(env.client.get(hotel, "hotel-Atlantis").result()).rejects.toMatchObject({ status: "terminated" });
});

test("no crash changes how it ends", async () => {
  const report = await crashEverywhere(tour, { input: "Atlantis", workflows: [hotel, flight] });
  expect(report.crashes).toBe(report.places);
});

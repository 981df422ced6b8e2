// Tickets are found by what their code has said of them so far, at every moment of their lives.

import { crashEverywhere, type TestEnvironment, testEnvironment } from "everstep/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { resolve, ticket, tickets, triage } from "./workflow.ts";

let env: TestEnvironment;

beforeEach(async () => {
  env = await testEnvironment({ workflows: [ticket] });
});

afterEach(() => env.stop());

/** Opened, and triaged where it has an urgency. */
async function open(customer: string, text: string, urgency?: number, ...labels: string[]) {
  const run = await env.client.start(ticket, {
    input: { customer, text },
    attributes: tickets({ customer }),
    memo: { text },
  });
  if (urgency !== undefined) await run.signal(triage, { urgency, labels });
  await env.advance(0); // the ticket has said what it has to say
  return run;
}

const textsOf = async (attributes: ReturnType<typeof tickets.where>) => {
  const where = { workflow: "ticket", status: "running", attributes } as const;
  const { runs } = await env.client.list({ where, orderBy: { by: { attribute: "urgency" } } });
  return runs.map(({ memo }) => memo.text);
};

test("the most urgent of a customer come first", async () => {
  await open("ann", "The lamp is dark.", 2, "lamp");
  await open("ann", "The house is on fire.", 9, "lamp", "fire");
  await open("bob", "My chair squeaks.", 5, "chair");
  expect(await textsOf(tickets.where({ customer: "ann" }))).toEqual(["The house is on fire.", "The lamp is dark."]);
  expect(await env.client.countBy({ attribute: "labels" }, { where: { workflow: "ticket" } })).toContainEqual({
    value: "lamp",
    count: 2,
  });
});

test("a ticket is triaged again as often as it takes", async () => {
  const run = await open("ann", "It smells of smoke.");
  expect(await textsOf(tickets.where({ urgency: { gt: 0 } }))).toEqual([]);
  await run.signal(triage, { urgency: 3, labels: ["smell"] });
  await env.advance("1h");
  await run.signal(triage, { urgency: 9, labels: ["fire"] });
  await env.advance(0);
  expect((await run.describe()).attributes).toEqual({ customer: "ann", urgency: 9, labels: ["fire"] });
});

test("a resolved ticket has its answer, and is urgent no more", async () => {
  const run = await open("ann", "The lamp is dark.", 2);
  await run.signal(resolve, { answer: "Turn it on." });
  expect(await run.result()).toBe("Turn it on.");
  const { attributes, memo } = await run.describe();
  expect(attributes.urgency).toBeUndefined();
  expect(memo).toEqual({ text: "The lamp is dark.", answer: "Turn it on." });
});

test("no crash loses what a ticket says of itself", async () => {
  const { history, crashes, places } = await crashEverywhere(ticket, {
    input: { customer: "ann", text: "The lamp is dark." },
    script: async (run, env) => {
      await run.signal(triage, { urgency: 2, labels: ["lamp"] });
      await env.advance("1 day");
      await run.signal(resolve, { answer: "Turn it on." });
    },
  });
  expect(history.events.filter(({ type }) => type === "AttributesUpserted")).toHaveLength(3);
  expect(crashes).toBe(places);
});

// Webhooks through a real worker: what is delivered by the right token is stored first, received once and in order, whatever the
// run goes through; what is delivered by another is refused, and leaves nothing.

import { expect, test } from "vitest";
import { z } from "zod";
import { encryption } from "../../runtime/codecs/index.ts";
import { crashEverywhere } from "../../runtime/testing/crash-everywhere.ts";
import { testEnvironment } from "../../runtime/testing/environment.ts";
import { createWebhook, defineSignal, isCanceled, step, workflow } from "../../sdk/index.ts";
import { KEYS } from "../support/codecs.ts";
import { eventually } from "../support/eventually.ts";
import { type House, historyOf, openHouse } from "../support/local-worker.ts";

const done = defineSignal("done");

/** Gives its token to the provider, and ends with what came. */
function payments(count = 1) {
  const tokens: string[] = [];
  const pay = workflow("pay", async () => {
    const hook = await createWebhook("payment");
    await step("tell the provider", () => void tokens.push(hook.token));
    const bodies: string[] = [];
    for await (const delivery of hook) {
      bodies.push(delivery.body);
      if (bodies.length === count) break;
    }
    await done.receive({ timeout: "1 day" });
    return bodies;
  });
  return { pay, tokens };
}

async function first(tokens: readonly string[]): Promise<string> {
  await eventually("a token", () => tokens.length > 0);
  return tokens[0] ?? "";
}

const mailOf = async (house: House, runId: string) => house.store.readMail([{ runId, after: 0 }], 100);

test("a delivery wakes the parked run, with all that was sent", async () => {
  const house = openHouse();
  const worker = await house.startWorker([whole], { lingerMs: 1 });
  const run = await house.client.start(whole);
  const token = await first(given);
  expect(token).toMatch(/^[\w.-]+$/);
  await eventually("parked", async () => worker.stats.liveRuns === 0 && (await run.describe()).ownerId === null);
  const request = { headers: { "X-Signature": "t=1,v1=abc" }, query: "a=1&b=2", body: '{"$everstep":"rich","n":[1]}' };
  await house.client.deliverWebhook(token, request, { deliveryId: "evt_1" });
  expect(await run.result()).toEqual({
    method: "POST",
    headers: { "x-signature": "t=1,v1=abc" },
    query: "a=1&b=2",
    body: request.body,
    deliveryId: "evt_1",
    json: { $everstep: "rich", n: [1] },
    none: undefined,
  });
});

const given: string[] = [];
const whole = workflow("whole", async () => {
  const hook = await createWebhook("all");
  const none = await hook.receive({ timeout: 0 });
  await step("tell", () => void given.push(hook.token));
  const { json, ...delivery } = await hook.receive();
  return { ...delivery, json: json(), none };
});

test("deliveries come in order, and each once: also when they are sent again after the end", async () => {
  const house = openHouse();
  const { pay, tokens } = payments(3);
  await house.startWorker([pay]);
  const run = await house.client.start(pay);
  const token = await first(tokens);
  const send = (body: string, deliveryId?: string) =>
    house.client.deliverWebhook(token, { body }, deliveryId === undefined ? {} : { deliveryId });
  await send("a", "1");
  await send("a again", "1");
  await send("b");
  await send("b");
  await run.signal(done);
  expect(await run.result()).toEqual(["a", "b", "b"]);
  await send("a once more", "1");
  await expect(send("c", "2")).rejects.toMatchObject({ code: "RUN_CLOSED" });
});

test("what is no token is refused and leaves no mail, and no token is made of what mail and waits show", async () => {
  const house = openHouse();
  const { pay, tokens } = payments();
  await house.startWorker([pay]);
  const run = await house.client.start(pay);
  const token = await first(tokens);
  const [runId = "", command = "", attempt = "", secret = ""] = token.split(".");
  expect(runId).toBe(run.runId);
  const forged = [
    "",
    "x",
    `${token}x`,
    token.slice(0, -1),
    `${runId}.${command}.${attempt}.${"A".repeat(secret.length)}`,
    `${runId}.${Number(command) + 1}.${attempt}.${secret}`,
    `${runId}.${command}.2.${secret}`,
    `${"0".repeat(runId.length)}.${command}.${attempt}.${secret}`,
    7 as never,
  ];
  for (const each of forged) {
    const thrown: unknown = await house.client.deliverWebhook(each, { body: "x" }).catch((error: unknown) => error);
    expect(thrown).toMatchObject({ code: "TOKEN_INVALID", message: expect.not.stringContaining(secret) });
  }
  expect(await mailOf(house, runId)).toEqual([]);
  await house.client.deliverWebhook(token, { body: "x" }, { deliveryId: "1" });
  const shown = JSON.stringify([await mailOf(house, runId), await run.describe()]);
  expect(shown).toContain("everstep.webhook payment ");
  expect(shown).not.toContain(secret);
  // It is the token of no step that waits: nobody completes anything by it.
  await expect(house.client.completeStep(token)).rejects.toMatchObject({ code: "STEP_NOT_WAITING" });
  for (const bad of [{ body: {} as never }, { headers: { a: 1 as never } }, { method: null as never }])
    await expect(house.client.deliverWebhook(token, bad)).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
  const nameless = house.client.deliverWebhook(token, {}, { deliveryId: "" });
  await expect(nameless).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
});

test("a step of another name that returns its own token is no webhook", async () => {
  const house = openHouse();
  const leaky = workflow("leaky", async () => {
    const token = await step("token", (context) => context.token);
    await done.receive();
    return token;
  });
  await house.startWorker([leaky]);
  const run = await house.client.start(leaky);
  await run.signal(done);
  const token = await run.result();
  await expect(house.client.deliverWebhook(token, {})).rejects.toMatchObject({ code: "TOKEN_INVALID" });
});

test("chance that the code draws tells nothing of tokens, which differ for each webhook", async () => {
  const house = openHouse();
  const many = workflow("many", async () => {
    const before = [crypto.randomUUID(), crypto.randomUUID()];
    const hooks = [await createWebhook("a"), await createWebhook("a"), await createWebhook("b")];
    return { tokens: hooks.map(({ token }) => token), ids: [...before, crypto.randomUUID()] };
  });
  await house.startWorker([many]);
  const results = await Promise.all([many, many].map(async (each) => (await house.client.start(each)).result()));
  const secrets = results.flatMap(({ tokens }) => tokens.map((token) => token.split(".").at(-1) ?? ""));
  expect(new Set(secrets).size).toBe(6);
  // 122 random bits of version 4, whose version and variant are no chance.
  for (const secret of secrets) expect(Buffer.from(secret, "base64url")).toHaveLength(16);
  const drawn = results.flatMap(({ ids }) => ids.map((id) => id.replaceAll("-", "")));
  for (const secret of secrets) expect(drawn).not.toContain(Buffer.from(secret, "base64url").toString("hex"));
});

test("two webhooks of a run do not hear each other, nor does the same delivery id stand in the way", async () => {
  const house = openHouse();
  const tokens: string[] = [];
  const two = workflow("two", async () => {
    const [left, right] = [await createWebhook("hook"), await createWebhook("hook")];
    await step("tell", () => void tokens.push(left.token, right.token));
    return [(await right.receive()).body, (await left.receive()).body];
  });
  await house.startWorker([two]);
  const run = await house.client.start(two);
  await eventually("tokens", () => tokens.length === 2);
  for (const [index, token] of tokens.entries())
    await house.client.deliverWebhook(token, { body: `to ${index}` }, { deliveryId: "the same" });
  expect(await run.result()).toEqual(["to 1", "to 0"]);
});

test("with a schema it gives what that makes of the JSON; what does not fit is left out", async () => {
  const house = openHouse();
  const tokens: string[] = [];
  const checked = workflow("checked", async () => {
    const hook = await createWebhook("order", { schema: z.object({ paid: z.coerce.number() }) });
    await step("tell", () => void tokens.push(hook.token));
    const { paid } = await hook.receive();
    return paid + 1;
  });
  await house.startWorker([checked]);
  const run = await house.client.start(checked);
  const token = await first(tokens);
  for (const body of ["no JSON", '{"paid":"much"}', '{"paid":"7"}']) await house.client.deliverWebhook(token, { body });
  expect(await run.result()).toBe(8);
  expect(house.log.lines.filter(({ message }) => message === "a signal was left out")).toHaveLength(2);
});

test("a delivery follows the run that continues as new, and the token is good for its whole chain", async () => {
  const house = openHouse();
  const tokens: string[] = [];
  const chain = workflow(
    "chain",
    async ({ token, bodies }: { token?: string; bodies: string[] }): Promise<string[]> => {
      const hook = await createWebhook("chain", token === undefined ? {} : { token });
      if (token === undefined) await step("tell", () => void tokens.push(hook.token));
      const { body } = await hook.receive();
      const all = [...bodies, body];
      return all.length === 3 ? all : chain.continueAsNew({ token: hook.token, bodies: all });
    },
  );
  await house.startWorker([chain]);
  const run = await house.client.start(chain, { input: { bodies: [] } });
  const token = await first(tokens);
  for (const body of ["a", "b", "c"]) await house.client.deliverWebhook(token, { body }, { deliveryId: body });
  expect(await run.result()).toEqual(["a", "b", "c"]);
  expect(tokens).toHaveLength(1);
  await house.client.deliverWebhook(token, { body: "c" }, { deliveryId: "c" });
  await expect(house.client.deliverWebhook(token, { body: "d" })).rejects.toMatchObject({ code: "RUN_CLOSED" });
});

test("a run that was reset after its webhook was made has the same one; a fork beside it does not", async () => {
  const house = openHouse();
  const { pay, tokens } = payments();
  await house.startWorker([pay]);
  const run = await house.client.start(pay, { id: "pay-1" });
  const token = await first(tokens);
  const fork = await run.fork({ id: "pay-2" });
  const again = await run.reset();
  await house.client.deliverWebhook(token, { body: "a" });
  await again.signal(done);
  expect(await again.result()).toEqual(["a"]);
  await expect(house.client.deliverWebhook(token, { body: "b" })).rejects.toMatchObject({ code: "RUN_CLOSED" });
  expect(await mailOf(house, fork.runId ?? "")).toEqual([]);
  await fork.terminate();
});

test("with codecs neither token nor body is readable in the store, and deliveries arrive", async () => {
  const house = openHouse({ codecs: [encryption({ keys: KEYS, currentKeyId: "new" })] });
  const { pay, tokens } = payments();
  await house.startWorker([pay]);
  const run = await house.client.start(pay);
  const token = await first(tokens);
  await house.client.deliverWebhook(token, { body: "a secret" });
  await run.signal(done);
  expect(await run.result()).toEqual(["a secret"]);
  const kept = await house.store.readHistory(run.runId ?? "", 0, 100);
  const stored = JSON.stringify([kept, await mailOf(house, run.runId ?? "")]);
  expect(stored).not.toContain(token.split(".").at(-1));
  expect(stored).not.toContain("a secret");
});

test("no crash changes what was delivered, and a strict environment asks for no mock of it", async () => {
  const tokens: string[] = [];
  const pay = workflow("pay", async () => {
    const hook = await createWebhook("payment");
    await step("tell the provider", () => void tokens.push(hook.token));
    try {
      const one = await hook.receive({ timeout: "1 day" });
      const none = await hook.receive({ timeout: "1 day" });
      await hook.receive();
      return [one?.body, none];
    } catch (error) {
      if (!isCanceled(error)) throw error;
      return "canceled";
    }
  });
  const report = await crashEverywhere(pay, {
    prepare: () => void tokens.splice(0),
    script: async (run, env) => {
      await env.advance("1h");
      for (const deliveryId of ["1", "1"])
        await env.client.deliverWebhook(tokens.at(-1) ?? "", { body: "a" }, { deliveryId });
      await env.advance("3 days");
      await run.cancel();
    },
  });
  expect(report.crashes).toBe(report.places);

  const env = await testEnvironment({ workflows: [pay], onlyMockedSteps: true });
  try {
    const told = env.mockStep("tell the provider", () => {});
    const run = await env.client.start(pay);
    await env.advance("1h");
    await run.cancel();
    expect(await run.result()).toBe("canceled");
    expect(told.calls).toHaveLength(1);
  } finally {
    await env.stop();
  }
});

test("what cannot be a webhook is refused", async () => {
  const house = openHouse();
  const refused = workflow("refused", async () => {
    const codes: unknown[] = [];
    const tries = [
      () => createWebhook(""),
      () => createWebhook("x".repeat(101)),
      () => createWebhook("a", { schema: 7 as never }),
      () => createWebhook("a", { token: "" }),
    ];
    for (const each of tries) await each().catch((error: { code: string }) => codes.push(error.code));
    return codes;
  });
  await house.startWorker([refused]);
  const run = await house.client.start(refused);
  expect(await run.result()).toEqual(Array(4).fill("ARGUMENT_INVALID"));
  expect((await historyOf(run)).map(({ type }) => type)).toEqual(["RunStarted", "RunCompleted"]);
  await expect(createWebhook("a")).rejects.toMatchObject({ code: "OUTSIDE_WORKFLOW" });
});

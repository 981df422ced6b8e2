// The HTTP side of webhooks, by requests and responses of the fetch standard, in front of a real client.

import { expect, test } from "vitest";
import { webhookHandler } from "../../sdk/client/webhook-handler.ts";
import { createWebhook, step, workflow } from "../../sdk/index.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import { eventually } from "../support/eventually.ts";
import { openHouse } from "../support/local-worker.ts";

async function openHook() {
  const house = openHouse();
  const tokens: string[] = [];
  const one = workflow("one", async () => {
    const hook = await createWebhook("hook");
    await step("tell", () => void tokens.push(hook.token));
    const { json: _, ...delivery } = await hook.receive();
    return delivery;
  });
  await house.startWorker([one]);
  const run = await house.client.start(one);
  await eventually("a token", () => tokens.length > 0);
  return { house, run, token: tokens[0] ?? "" };
}

function post(token: string, body: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}): Request {
  return new Request(`https://example.com/deep/hooks/${token}?x=1`, { method: "POST", body, headers });
}

test("a delivery is answered when it is stored, keeps what was sent but for secrets, and counts once by its sender's id", async () => {
  const { house, run, token } = await openHook();
  const handle = webhookHandler(house.client);
  const headers = { "webhook-id": "msg_1", "webhook-signature": "v1,abc", cookie: "a=b", authorization: "Basic eHg=" };
  expect((await handle(post(token, "\uFEFF{}", headers))).status).toBe(202);
  expect(await run.result()).toEqual({
    method: "POST",
    headers: { "content-type": "text/plain;charset=UTF-8", "webhook-id": "msg_1", "webhook-signature": "v1,abc" },
    query: "x=1",
    body: "\uFEFF{}",
    deliveryId: "msg_1",
  });
  expect((await handle(post(token, "{}", headers))).status).toBe(202);
  expect((await handle(post(token, "{}", { "x-github-delivery": "other" }))).status).toBe(410);
});

test("what is not for a webhook gets the same answer, whatever is wrong with it", async () => {
  const { house, token, run } = await openHook();
  const handle = webhookHandler(house.client);
  const [runId = "", command = "", attempt = ""] = token.split(".");
  for (const bad of [
    "",
    "favicon.ico",
    `${token}A`,
    `${runId}.${command}.${attempt}.${"A".repeat(22)}`,
    "..%2f",
    token.slice(1),
  ]) {
    const response = await handle(post(bad, "x"));
    expect([bad, response.status, await response.text()]).toEqual([bad, 404, "no such webhook\n"]);
  }
  expect((await run.describe()).unreadMail).toBe(0);
  await run.terminate();
  expect((await handle(post(token, "x"))).status).toBe(410);
});

test("limits: other methods, bodies that are too large, also in pieces and once stored, and what is no text", async () => {
  const { house, token, run } = await openHook();
  const handle = webhookHandler(house.client, { maxBytes: 10 });
  const got = await handle(new Request(`https://example.com/${token}`));
  expect([got.status, got.headers.get("allow")]).toEqual([405, "POST"]);
  expect((await handle(post(token, "x".repeat(11)))).status).toBe(413);
  expect((await handle(post(token, "x", { "content-length": "11" }))).status).toBe(413);

  let pulled = 0;
  let isCanceled = false;
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      pulled++;
      controller.enqueue(new Uint8Array(4));
    },
    cancel: () => {
      isCanceled = true;
    },
  });
  const streamed = { method: "POST", body: endless, duplex: "half" } as RequestInit;
  expect((await handle(new Request(`https://example.com/${token}`, streamed))).status).toBe(413);
  expect(pulled).toBeLessThan(10);
  expect(isCanceled).toBe(true);

  expect((await handle(post(token, new Uint8Array([0xff, 0xfe])))).status).toBe(415);
  // Each of these takes six bytes in the stored form.
  const swelling = "\u0001".repeat(900_000);
  expect((await webhookHandler(house.client)(post(token, swelling))).status).toBe(413);
  const longId = { "webhook-id": "x".repeat(2_000) };
  expect((await handle(post(token, "x", longId))).status).toBe(400);
  expect((await run.describe()).unreadMail).toBe(0);

  const put = webhookHandler(house.client, {
    methods: ["PUT"],
    deliveryIdHeaders: ["x-id"],
    withoutHeaders: ["X-Key"],
  });
  const headers = { "x-id": "7", "x-key": "secret", cookie: "a=b" };
  expect((await put(new Request(`https://example.com/${token}`, { method: "PUT", headers }))).status).toBe(202);
  expect(await run.result()).toEqual({
    method: "PUT",
    headers: { "x-id": "7", cookie: "a=b" },
    query: "",
    body: "",
    deliveryId: "7",
  });
  for (const maxBytes of [-1, 1.5, Number.NaN, "1" as never])
    expect(() => webhookHandler(house.client, { maxBytes })).toThrow("maxBytes");
});

test("what may be sent again is answered so, and what is our own fault is not hidden", async () => {
  const failing = (error: Error) => webhookHandler({ deliverWebhook: () => Promise.reject(error) });
  const away = await failing(new EverstepError("STORE_UNAVAILABLE", "away"))(post("t", "x"));
  expect([away.status, away.headers.get("retry-after")]).toEqual([503, "5"]);
  await expect(failing(new Error("bug"))(post("t", "x"))).rejects.toThrow("bug");
  await expect(failing(new EverstepError("STORE_REJECTED", "no"))(post("t", "x"))).rejects.toThrow("no");
});

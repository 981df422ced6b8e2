// A server of Node's, with the handler mounted: requests of the fetch standard are made of what Node gives, and answers told.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { webhookHandler } from "everstep/client";
import { embedded } from "everstep/runtime";
import { deliveryOf, type Registered, registered } from "./provider.ts";
import { payment } from "./workflow.ts";

const everstep = await embedded({ workflows: [payment], logLevel: "warn" });
const { client } = everstep;
const handle = webhookHandler(client);

const server = createServer(async (incoming, outgoing) => {
  const { method = "GET", url = "/", headers } = incoming;
  const hasBody = method !== "GET" && method !== "HEAD";
  const request = new Request(new URL(url, "http://localhost"), {
    method,
    headers: Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)]),
    ...(hasBody && { body: Readable.toWeb(incoming) as ReadableStream<Uint8Array>, duplex: "half" }),
  } as RequestInit);
  const response = await handle(request).catch(() => new Response(null, { status: 500 }));
  outgoing.writeHead(response.status, Object.fromEntries(response.headers)).end(await response.text());
});
await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
const hooks = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks`;

async function addressFor(order: string): Promise<string> {
  let found: Registered | undefined;
  while (found === undefined) {
    found = registered.find((each) => each.order === order);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  return found.callbackUrl;
}

async function call(url: string, { headers, body }: { headers: Record<string, string>; body: string }) {
  const { status } = await fetch(url, { method: "POST", headers, body });
  return status;
}

try {
  const run = await client.start(payment, { input: { id: "lamp", hooks } });
  const url = await addressFor("lamp");
  const event = deliveryOf({ amount: 40 }, "evt_1");

  console.log("a stranger who guesses:", await call(`${hooks}/lamp`, event));
  console.log("somebody without the secret:", await call(url, { headers: { "webhook-id": "evt_0" }, body: "{}" }));
  console.log("the provider:", await call(url, event));
  console.log("the provider again:", await call(url, event));
  console.log(await run.result());
  console.log("another event, too late:", await call(url, deliveryOf({ amount: 41 }, "evt_2")));
} finally {
  server.close();
  await everstep.stop();
}

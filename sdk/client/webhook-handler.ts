// The HTTP side of webhooks, for any framework that speaks the fetch standard: a request in, a response out. Answers with 202
// when the delivery is stored, and says nothing about webhooks to those who have no token.

import { EverstepError, isEverstepError } from "../protocol/errors.ts";
import type { WebhookRequest } from "../workflow/webhook.ts";
import type { DeliveryOptions } from "./webhook-delivery.ts";

export interface WebhookHandlerOptions {
  /** Of the body, in bytes; more is answered with 413. Default 1 MiB. */
  readonly maxBytes?: number;
  /** All others are answered with 405. Default `["POST"]`. */
  readonly methods?: readonly string[];
  /**
   * Headers in which senders give the id of a delivery, by which it counts once; the first that is there. Default "webhook-id"
   * (Standard Webhooks), "idempotency-key", "x-github-delivery".
   */
  readonly deliveryIdHeaders?: readonly string[];
  /** Headers that are not kept. Default "authorization", "proxy-authorization", "cookie". */
  readonly withoutHeaders?: readonly string[];
}

/** What delivers: a `Client`. */
export interface WebhookReceiver {
  deliverWebhook(token: string, request: WebhookRequest, options?: DeliveryOptions): Promise<void>;
}

const DEFAULTS = {
  maxBytes: 1024 * 1024,
  methods: ["POST"],
  deliveryIdHeaders: ["webhook-id", "idempotency-key", "x-github-delivery"],
  withoutHeaders: ["authorization", "proxy-authorization", "cookie"],
} as const;

/**
 * Handles requests whose path ends with the token of a webhook, wherever it is mounted. Answers 202 when the delivery is stored,
 * now or before; 404 for what is no token of a webhook; 410 when its run is closed; 405, 413 and 415 (a body that is no UTF-8) for
 * what it does not take; 503 when it may be sent again. Rejects when something else is wrong.
 *
 * Throws ARGUMENT_INVALID for a limit that is none.
 */
export function webhookHandler(
  client: WebhookReceiver,
  options: WebhookHandlerOptions = {},
): (request: Request) => Promise<Response> {
  const { maxBytes, methods, deliveryIdHeaders, withoutHeaders } = { ...DEFAULTS, ...options };
  if (!Number.isSafeInteger(maxBytes) || maxBytes < 0) {
    const message = `webhookHandler({ maxBytes }) takes a number of bytes; got ${String(maxBytes)}.`;
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "maxBytes" } });
  }
  const dropped = new Set(withoutHeaders.map((name) => name.toLowerCase()));

  return async (request) => {
    const { method, headers } = request;
    if (!methods.includes(method)) return answer(405, "method not allowed", { allow: methods.join(", ") });
    const { pathname, search } = new URL(request.url);
    const token = pathname.slice(pathname.lastIndexOf("/") + 1);
    const bytes = await readAtMost(request, maxBytes);
    if (bytes === undefined) return answer(413, "too large");
    const body = textOf(bytes);
    if (body === undefined) return answer(415, "not text in UTF-8");
    const deliveryId = deliveryIdHeaders.map((name) => headers.get(name)).find(Boolean);
    const kept = Object.fromEntries([...headers].filter(([name]) => !dropped.has(name)));
    try {
      const delivered = { method, headers: kept, query: search.slice(1), body };
      await client.deliverWebhook(token, delivered, deliveryId ? { deliveryId } : {});
      return answer(202, "accepted");
    } catch (error) {
      return refusal(error);
    }
  };
}

function refusal(error: unknown): Response {
  if (!isEverstepError(error)) throw error;
  if (error.retryable) return answer(503, "not now", { "retry-after": "5" });
  switch (error.code) {
    case "TOKEN_INVALID":
      return answer(404, "no such webhook");
    case "RUN_CLOSED":
    case "RUN_NOT_FOUND":
      return answer(410, "gone");
    case "PAYLOAD_TOO_LARGE":
      return answer(413, "too large");
    case "ARGUMENT_INVALID":
      return answer(400, "bad request");
    default:
      throw error;
  }
}

function answer(status: number, text: string, headers: Record<string, string> = {}): Response {
  return new Response(`${text}\n`, { status, headers: { "content-type": "text/plain", ...headers } });
}

/** Undefined when there is more, which is not read. */
async function readAtMost({ headers, body }: Request, maxBytes: number): Promise<Uint8Array | undefined> {
  if (Number(headers.get("content-length") ?? 0) > maxBytes) return undefined;
  const chunks: Uint8Array[] = [];
  let length = 0;
  const reader = body?.getReader();
  for (let read = await reader?.read(); read?.value !== undefined; read = await reader?.read()) {
    length += read.value.length;
    if (length > maxBytes) {
      reader?.cancel().catch(() => {});
      return undefined;
    }
    chunks.push(read.value);
  }
  return Buffer.concat(chunks);
}

/** With its byte order mark, if it has one: signatures are over all that was sent. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

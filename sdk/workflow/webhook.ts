// A place where the world outside can deliver something to a run by HTTP: an address that nobody can guess, and deliveries that
// are stored like signals.

import type { Duration } from "../protocol/duration.ts";
import { EverstepError } from "../protocol/errors.ts";
import { assertName } from "../protocol/names.ts";
import {
  assertSchema,
  type SchemaOutput,
  type SchemaVerdict,
  type StandardSchema,
} from "../protocol/standard-schema.ts";
import { webhookSignal, webhookStep } from "../protocol/webhook.ts";
import { defineSignal, type SignalDefinition } from "./signal.ts";
import { step } from "./step.ts";

/** What was sent, as it was sent. */
export interface WebhookRequest {
  /** Default "POST". */
  readonly method?: string;
  /** By name, in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Of the address, without the question mark. */
  readonly query?: string;
  /** As text: signatures are over this, byte by byte. */
  readonly body?: string;
}

/** What a webhook without a schema gives. */
export interface WebhookDelivery extends Required<WebhookRequest> {
  /** The id that the sender gave it; undefined for none. */
  readonly deliveryId: string | undefined;
  /** The body, read as JSON; never anything but plain values. Throws a SyntaxError where it is no JSON. */
  json(): unknown;
}

/** Deliveries of one address, in order, kept until they are received. */
export interface Webhook<Received> extends AsyncIterable<Received> {
  /** What the address ends with: letters, digits, `.`, `-`, `_`. Whoever has it can deliver: treat it like a password. */
  readonly token: string;

  /**
   * Waits for the next delivery and takes it; those that came before are waiting already, oldest first. With a timeout, resolves
   * to undefined when time ran out; 0 takes what is there.
   *
   * Rejects with `CanceledFailure` when the run or its scope is canceled. Throws OUTSIDE_WORKFLOW, ARGUMENT_INVALID.
   */
  receive(): Promise<Received>;
  receive(options: { readonly timeout: Duration }): Promise<Received | undefined>;
}

export interface WebhookOptions {
  /** Of the webhook of this name that an earlier run of this chain created: go on receiving its deliveries. Default: a new one. */
  readonly token?: string;
}

/** Longest name of a webhook: what it is known by has to fit into the name of a signal. */
const MAX_NAME_LENGTH = 100;

/**
 * Creates a webhook: a token that `client.deliverWebhook`, and `webhookHandler` behind an address of yours, deliver by. Made once,
 * by a step, whose result it is: so it is the same at every replay, and in the history for those who may read that.
 *
 * With a `schema`, `receive` gives what it makes of the body's JSON; a body that does not fit is left out, with a warning in the
 * log. Without one it gives the whole request.
 *
 * Rejects with `CanceledFailure` when the run or its scope is canceled. Throws ARGUMENT_INVALID for an unusable name, schema or
 * token, OUTSIDE_WORKFLOW, COMMAND_IN_READ_ONLY.
 */
export function createWebhook<Schema extends StandardSchema>(
  name: string,
  options: WebhookOptions & { readonly schema: Schema },
): Promise<Webhook<SchemaOutput<Schema>>>;
export function createWebhook(name: string, options?: WebhookOptions): Promise<Webhook<WebhookDelivery>>;
export async function createWebhook(
  name: string,
  { schema, token: given }: WebhookOptions & { readonly schema?: StandardSchema } = {},
): Promise<Webhook<unknown>> {
  assertName(name, "createWebhook(name)");
  if (name.length > MAX_NAME_LENGTH) {
    throw invalid(`createWebhook(name) takes at most ${MAX_NAME_LENGTH} characters; got ${name.length}.`, "name");
  }
  assertSchema(schema, "createWebhook({ schema })");
  if (given !== undefined && (typeof given !== "string" || given === "")) {
    throw invalid("createWebhook({ token }) takes the token of a webhook; got something else.", "token");
  }
  const made = webhookStep(name);
  // The attempt's own token: nobody else has it, and nothing waits to be completed by it.
  const token = given ?? (await step(made, (context) => context.token));
  const signal = defineSignal(webhookSignal(made, token), { schema: deliveredBy(schema) });
  const { receive } = signal;
  const webhook: Webhook<unknown> = {
    token,
    receive,
    async *[Symbol.asyncIterator]() {
      for (;;) yield await receive();
    },
  };
  signals.set(webhook, signal);
  return webhook;
}

const signals = new WeakMap<object, SignalDefinition<unknown>>();

/** What the deliveries of a webhook come as; undefined for what is no webhook. */
export function signalOf(webhook: object): SignalDefinition<unknown> | undefined {
  return signals.get(webhook);
}

/** What is stored, as the code gets it. */
function deliveredBy(schema: StandardSchema | undefined): StandardSchema {
  const validate = (value: unknown): SchemaVerdict<unknown> | Promise<SchemaVerdict<unknown>> => {
    const delivery = deliveryOf(value as StoredDelivery);
    if (schema === undefined) return { value: delivery };
    let body: unknown;
    try {
      body = delivery.json();
    } catch (error) {
      return { issues: [{ message: `the body is no JSON: ${String(error)}` }] };
    }
    return schema["~standard"].validate(body);
  };
  return { "~standard": { version: 1, vendor: "everstep", validate } };
}

/** `deliveryId`: null for none. */
export type StoredDelivery = Required<WebhookRequest> & { readonly deliveryId: string | null };

function deliveryOf({ deliveryId, ...request }: StoredDelivery): WebhookDelivery {
  return { ...request, deliveryId: deliveryId ?? undefined, json: () => JSON.parse(request.body) };
}

function invalid(message: string, argument: string): EverstepError {
  return new EverstepError("ARGUMENT_INVALID", message, { details: { argument } });
}

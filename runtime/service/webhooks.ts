// Deliveries to webhooks. Whoever delivers must have the token, whole: it is compared with what the step that made it has left
// in the history. What is no token, and what is one of nothing, looks and takes the same: only with the right one is a run
// looked for and its mailbox touched.

import type { RunReference, SignalCall } from "../../sdk/client/front-door.ts";
import { EverstepError, isEverstepError } from "../../sdk/protocol/errors.ts";
import { fromRecord } from "../../sdk/protocol/event-record.ts";
import { assertWorkflowId } from "../../sdk/protocol/names.ts";
import { decodePayload } from "../../sdk/protocol/payload.ts";
import { isWebhookStep, type WebhookCall, webhookSignal, webhookSignalId } from "../../sdk/protocol/webhook.ts";
import type { Desk } from "./desk.ts";
import { isSameVerifier, readStepToken, type StepToken, verifierOf } from "./step-token.ts";

export class Webhooks {
  readonly #desk: Desk;
  readonly #signal: (to: RunReference, call: SignalCall) => Promise<void>;

  constructor(desk: Desk, signal: (to: RunReference, call: SignalCall) => Promise<void>) {
    this.#desk = desk;
    this.#signal = signal;
  }

  /** Resolves when the delivery is stored, or was before. Throws TOKEN_INVALID, RUN_CLOSED, RUN_NOT_FOUND. */
  async deliver(token: string, { deliveryId, payload }: WebhookCall): Promise<void> {
    if (deliveryId !== null) assertWorkflowId(deliveryId, "deliveryId");
    const parts = readStepToken(token);
    if (parts === undefined) throw notOne();
    const { runId } = parts;
    const step = await this.#madeIn(runId, token, parts);
    if (step === undefined) throw notOne();
    // Chosen before the first try: a repeated send is recognised by it.
    const signalId = webhookSignalId(deliveryId ?? this.#desk.world.chance.uuid(), token);
    const call: SignalCall = { name: webhookSignal(step, token), signalId, payload };
    try {
      await this.#signal({ chainOf: runId }, call);
    } catch (error) {
      if (!isEverstepError(error, "RUN_CLOSED")) throw error;
      const heir = await this.#heirOf(runId, token, parts);
      if (heir === undefined) throw error;
      await this.#signal({ chainOf: heir }, call);
    }
  }

  /** A run that was put in the place of the closed one, and shares the making of the webhook with it. */
  async #heirOf(runId: string, token: string, parts: StepToken): Promise<string | undefined> {
    const { workflowId } = await this.#desk.find({ runId });
    const latest = await this.#desk.find({ workflowId });
    if (latest.closedAt !== null) return undefined;
    return (await this.#madeIn(latest.runId, token, parts)) === undefined ? undefined : latest.runId;
  }

  /** The name of the step of this run that has made the token; undefined when none has. */
  async #madeIn(runId: string, token: string, { command }: StepToken): Promise<string | undefined> {
    const events = await this.#desk.insist(() => this.#desk.store.readStepEvents(runId, { command }));
    for (const event of events.map(fromRecord)) {
      if (event?.type !== "StepCompleted" || !isWebhookStep(event.name)) continue;
      const made = decodePayload(event.result, `token that step "${event.name}" has made`);
      if (isSameVerifier(verifierOf(String(made)), verifierOf(token))) return event.name;
    }
    return undefined;
  }
}

function notOne(): EverstepError {
  const message = "This is not the token of a webhook: it must come from createWebhook(), whole and unchanged.";
  return new EverstepError("TOKEN_INVALID", message);
}

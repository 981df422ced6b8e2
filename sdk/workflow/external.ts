// Mail from one run to another: sent when the run's own history says so, exactly once.

import { encodeChecked } from "../protocol/checked-payload.ts";
import { hashHex } from "../protocol/hash.ts";
import { assertWorkflowId } from "../protocol/names.ts";
import { hashPayload, type Payload } from "../protocol/payload.ts";
import { requireRun } from "./ambient.ts";
import type { MessageAsk } from "./run-context.ts";
import type { SignalDefinition } from "./signal.ts";

type PayloadArguments<Payload> = undefined extends Payload ? [payload?: Payload] : [payload: Payload];

/** Another run, as workflow code can reach it. */
export interface ExternalRun {
  readonly workflowId: string;
  /**
   * Sends a signal. Resolves when the other run's mailbox has it; it is sent exactly once, also when nobody awaits it.
   *
   * Rejects with RUN_NOT_FOUND, with RUN_CLOSED, and with `CanceledFailure` when this run is canceled. Throws
   * OUTSIDE_WORKFLOW, COMMAND_IN_READ_ONLY, ARGUMENT_INVALID, PAYLOAD_UNSERIALIZABLE, PAYLOAD_TOO_LARGE.
   */
  signal<Payload>(signal: SignalDefinition<Payload, unknown>, ...[payload]: PayloadArguments<Payload>): Promise<void>;
  /** Asks it to stop. Resolves when its mailbox has the request. Rejects and throws like `signal`. */
  cancel(reason?: string): Promise<void>;
}

/**
 * The open run with this workflow id, else the latest; looked for anew at each call. To be used inside a workflow.
 *
 * Throws ARGUMENT_INVALID for what cannot be a workflow id.
 */
export function externalRun(workflowId: string): ExternalRun {
  assertWorkflowId(workflowId, "externalRun(workflowId)");
  const to = async () => ({ workflowId });
  return {
    workflowId,
    signal: (signal, ...[payload]) => sendSignal(to, signal, payload),
    cancel: (reason) => sendCancel(to, reason),
  };
}

type Receiver = () => Promise<MessageAsk["to"]>;

export async function sendSignal<Payload>(
  receiver: Receiver,
  { name, schema }: SignalDefinition<Payload, unknown>,
  payload: unknown,
): Promise<void> {
  const stored = encodeChecked(schema, payload, `payload of signal "${name}"`);
  await send(receiver, { name: `signal ${name}`, kind: "signal", subject: name, payload: stored });
}

export async function sendCancel(receiver: Receiver, reason = "canceled by another run"): Promise<void> {
  await send(receiver, { name: "cancel", kind: "cancel", subject: reason, payload: null });
}

async function send(receiver: Receiver, message: Omit<MessageAsk, "to" | "inputHash">): Promise<void> {
  const { run, scope } = requireRun(message.name);
  run.refuseInReadOnly(message.name);
  const to = await receiver();
  await run.askMessage({ ...message, to, inputHash: messageHash(to, message.payload) }, scope);
}

/** Of what decides what is sent to whom. The reason of a cancel is for people. */
export function messageHash(to: MessageAsk["to"], payload: Payload): string {
  return hashHex(JSON.stringify(to)) + hashPayload(payload);
}

// Programs that deliver to webhooks: each delivery perhaps twice and from another process, some to two webhooks under one id, and
// some with a token that is none.

import { webhookCall } from "../../sdk/client/webhook-delivery.ts";
import { isEverstepError } from "../../sdk/protocol/errors.ts";
import type { Caller } from "./caller.ts";
import type { SentSignal } from "./clients.ts";
import { deliveredAs } from "./delivered-as.ts";
import type { Dice } from "./dice.ts";
import type { Probes } from "./probes.ts";

export interface WebhookSendersOptions {
  readonly callers: readonly [Caller, Caller];
  readonly dice: Dice;
  readonly probes: Probes;
  readonly now: () => number;
  readonly sent: SentSignal[];
  readonly violation: (kind: string, what: string) => void;
}

export class WebhookSenders {
  readonly #options: WebhookSendersOptions;
  readonly #tokens = new Map<string, string[]>();
  #deliveries = 0;

  constructor(options: WebhookSendersOptions) {
    this.#options = options;
  }

  /** A run has told its address. It may do so again: its step runs at least once. */
  announced(runId: string, token: string): void {
    const { dice } = this.#options;
    const known = this.#tokens.get(runId) ?? [];
    this.#tokens.set(runId, [...known, token]);
    for (let count = dice.int(0, 3); count > 0; count--) {
      const deliveryId = this.#newId();
      this.#send(runId, token, deliveryId, 2_500);
      if (dice.hits(0.4)) this.#send(runId, token, deliveryId, 4_000);
      const [other] = known;
      if (other !== undefined && dice.hits(0.5)) this.#send(runId, other, deliveryId, 2_500);
    }
    if (dice.hits(0.2)) this.#guess(token);
  }

  /** One more to each address: for runs that wait for what nobody planned to send. */
  nudge(runId: string): void {
    for (const token of new Set(this.#tokens.get(runId))) this.#send(runId, token, this.#newId(), 0);
  }

  #newId(): string {
    return `delivery-${++this.#deliveries}`;
  }

  #send(runId: string, token: string, deliveryId: string, withinMs: number): void {
    const { callers, dice, probes, now, sent } = this.#options;
    const caller = dice.pick(callers);
    const call = webhookCall({ body: JSON.stringify({ deliveryId }) }, { deliveryId });
    caller.task(async () => {
      await caller.sleep(withinMs, dice);
      const sentAt = now();
      const outcome = await caller.insist(async () => {
        try {
          await caller.service.deliverWebhook(token, call);
          return "acknowledged" as const;
        } catch (error) {
          if (isEverstepError(error, "RUN_CLOSED")) return "closed" as const;
          throw error;
        }
      });
      probes.hit(`delivery: ${outcome}`);
      sent.push({ runId, signalId: deliveredAs(deliveryId, token), sentAt, answeredAt: now(), outcome });
    });
  }

  /** Who knows everything but one letter of the secret has no token. */
  #guess(token: string): void {
    const { callers, violation, probes } = this.#options;
    const [caller] = callers;
    const forged = token.slice(0, -1) + (token.endsWith("A") ? "Q" : "A");
    caller.task(async () => {
      try {
        await caller.insist(() => caller.service.deliverWebhook(forged, webhookCall({}, {})));
        violation("webhook", `${forged} was taken for the token ${token}`);
      } catch (error) {
        if (!isEverstepError(error, "TOKEN_INVALID")) throw error;
        probes.hit("delivery: refused, no token");
      }
    });
  }
}

// The world outside, as far as runs have told it something: two processes that complete steps and deliver to webhooks.

import type { Caller } from "./caller.ts";
import type { SentSignal } from "./clients.ts";
import type { Dice } from "./dice.ts";
import type { Probes } from "./probes.ts";
import { StepReporters } from "./step-reporters.ts";
import { WebhookSenders } from "./webhook-senders.ts";

export interface OutsidersOptions {
  readonly callers: readonly [Caller, Caller];
  readonly dice: Dice;
  readonly probes: Probes;
  readonly now: () => number;
  readonly sent: SentSignal[];
  readonly isBlocked: (runId: string) => boolean;
  readonly violation: (kind: string, what: string) => void;
}

export class Outsiders {
  readonly reporters: StepReporters;
  readonly senders: WebhookSenders;

  constructor(options: OutsidersOptions) {
    const { dice } = options;
    this.reporters = new StepReporters({ ...options, dice: dice.split("reporters") });
    this.senders = new WebhookSenders({ ...options, dice: dice.split("senders") });
  }
}

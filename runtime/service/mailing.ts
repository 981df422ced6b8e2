// What is sent to runs: signals, updates, cancel requests, reports on their steps and requests to cut waits short, through
// their mailboxes.

import type {
  Acting,
  Deed,
  RepairCall,
  RunReference,
  SentUpdate,
  SignalCall,
  StartCall,
  StepReference,
  StepReportCall,
  UpdateCall,
  UpdateOutcome,
  UpdateStage,
} from "../../sdk/client/front-door.ts";
import type { RepairRequest } from "../../sdk/protocol/event.ts";
import { assertName, assertWorkflowId } from "../../sdk/protocol/names.ts";
import type { WebhookCall } from "../../sdk/protocol/webhook.ts";
import { encodeActor } from "../store/acted-by.ts";
import type { MailOutcome, MailRequest } from "../store/mail.ts";
import { CANCEL_MAIL_ID, signalMailId, updateMailId } from "../store/mail-id.ts";
import type { StartRequest } from "../store/starts.ts";
import type { Chance } from "../world/world.ts";
import { Batcher } from "./batcher.ts";
import type { Desk } from "./desk.ts";
import { InOrder } from "./in-order.ts";
import type { LocalWorkers } from "./local-workers.ts";
import { RepairRequests } from "./repair-requests.ts";
import { closedError, nameOf, notFound } from "./run-errors.ts";
import { StepReports } from "./step-reports.ts";
import { UpdateWaiter } from "./update-waiter.ts";
import { Webhooks } from "./webhooks.ts";

const ITEMS_PER_BATCH = 1_000;

export class Mailing {
  readonly #desk: Desk;
  readonly #locals: LocalWorkers;
  readonly #mail: Batcher<MailRequest, MailOutcome>;
  readonly #encodedMail = new InOrder();
  readonly #updates: UpdateWaiter;
  readonly #reports: StepReports;
  readonly #webhooks: Webhooks;
  readonly #repairs: RepairRequests;

  /** `locals`: the workers of this process that may be told of mail as it is sent. */
  constructor(desk: Desk, locals: LocalWorkers) {
    const { kept, codecs, wakeups, pollMs, insistence } = desk;
    this.#desk = desk;
    this.#locals = locals;
    this.#mail = new Batcher({
      clock: desk.world.clock,
      most: ITEMS_PER_BATCH,
      send: (requests) => desk.insist(() => kept.sendMail(requests)),
    });
    this.#updates = new UpdateWaiter({ store: kept, codecs, wakeups, pollMs, insistence });
    const mail = {
      store: kept,
      insistence,
      find: (to: RunReference) => desk.find(to),
      send: (request: MailRequest) => this.#send(request),
    };
    this.#reports = new StepReports(mail);
    this.#repairs = new RepairRequests(mail);
    this.#webhooks = new Webhooks(desk, (to, call) => this.signal(to, call));
  }

  async signal(to: RunReference, { signalId, name, payload }: SignalCall): Promise<void> {
    assertName(name, "signal name");
    if (signalId !== null) assertWorkflowId(signalId, "signalId");
    // Chosen before the first try: a repeated send is recognised by it.
    const mailId = signalMailId(signalId ?? this.#desk.world.chance.uuid());
    await this.#send({ to, kind: "signal", mailId, name, payload });
  }

  async sendUpdate(to: RunReference, { updateId, name, input }: UpdateCall): Promise<SentUpdate> {
    const id = updateIdFor({ updateId, name }, this.#desk.world.chance);
    const mail = await this.#send({ to, kind: "update", mailId: updateMailId(id), name, payload: input });
    return { to: mail.runId === null ? to : { chainOf: mail.runId }, updateId: id, name, after: mail.events };
  }

  async awaitUpdate(update: SentUpdate, stage: UpdateStage, timeoutMs: number | null): Promise<UpdateOutcome | null> {
    const { to } = update;
    const runId = "chainOf" in to ? to.chainOf : (await this.#desk.find(to)).runId;
    return this.#updates.wait({ ...update, runId, run: nameOf(to) }, stage, timeoutMs);
  }

  reportStep(step: StepReference, report: StepReportCall): Promise<void> {
    return this.#reports.report(step, report);
  }

  deliverWebhook(token: string, call: WebhookCall): Promise<void> {
    return this.#webhooks.deliver(token, call);
  }

  cutWaits(to: RunReference, request: RepairRequest, call: RepairCall): Promise<void> {
    return this.#repairs.ask(to, request, call);
  }

  foresee(to: RunReference, deed: Exclude<Deed, { readonly do: "move" | "fork" }>): Promise<void> {
    if (deed.do === "reportStep") return this.#reports.foresee(to, deed.step, deed.call);
    return this.#repairs.foresee(to, deed.do, deed.call);
  }

  async cancel(to: RunReference, reason: string, { actor }: Acting = {}): Promise<void> {
    await this.#send({ to, kind: "cancel", mailId: CANCEL_MAIL_ID, name: reason, payload: encodeActor(actor) });
  }

  async #send(request: MailRequest): Promise<MailOutcome> {
    const sent = await this.#askMail(request);
    const { outcome, mail, runId, queue, ownerId } = sent;
    const name = nameOf(request.to);
    if (outcome === "notFound") throw notFound(name);
    if (outcome === "closed") throw closedError(name, `It takes no ${MAIL_WORDS[request.kind]} any more.`);
    if (runId === null) return sent;
    const { to: _to, ...item } = request;
    const isHere = ownerId !== null && mail !== null && this.#locals.deliver(ownerId, { ...item, runId, mail });
    if (!isHere) this.#desk.wake({ ownerId, queue });
    return sent;
  }

  /** Mail to one run is sent in the order of the calls, whichever is encoded first. */
  async #askMail(request: MailRequest): Promise<MailOutcome> {
    const codecs = this.#desk.codecs;
    if (codecs === undefined) return this.#mail.ask(request);
    const encoding = this.#desk.insist(() => codecs.encodeMail(request));
    return this.#mail.ask(await this.#encodedMail.after(nameOf(request.to), encoding));
  }
}

const MAIL_WORDS: Readonly<Record<MailRequest["kind"], string>> = {
  signal: "signals",
  update: "updates",
  cancel: "cancel requests",
  stepReport: "reports on its steps",
  retryNow: "requests to retry its steps",
  skipSleep: "requests to skip its sleeps",
  answer: "answers",
  adopt: "adoptions",
};

/** What is sent along with a start. */
export function mailWith({ signal, update }: StartCall, chance: Chance): StartRequest["mail"] {
  if (signal !== null) {
    const { signalId, name, payload } = signal;
    return { kind: "signal", mailId: signalMailId(signalId ?? chance.uuid()), name, payload };
  }
  if (update === null) return null;
  const { name, input } = update;
  return { kind: "update", mailId: updateMailId(updateIdFor(update, chance)), name, payload: input };
}

/** The sender's, or a new one: chosen before the first try, so that a repeated send is recognised by it. */
function updateIdFor({ updateId, name }: Pick<UpdateCall, "updateId" | "name">, chance: Chance): string {
  assertName(name, "update name");
  if (updateId !== null) assertWorkflowId(updateId, "updateId");
  return updateId ?? chance.uuid();
}

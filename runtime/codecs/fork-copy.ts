// What a fork shares with its source, decoded as the source's and encoded as the fork's: it is bound to the fork, under
// today's key, and put away with it. All of it is done before the store is asked, so that no codec holds up a transaction;
// what is done is kept when a codec fails in between.
//
// Events up to the fork, and the mail that they have taken, never change. Signals may come meanwhile. A fork beside its
// source has those up to the last that was read here: one that comes later stays with the source. A fork in the place of its
// source has all there are once nobody can send another: one that was not read here comes along as its sender has just encoded
// it, which is for the workflow id, and so for the fork.

import { EverstepError, isEverstepError } from "../../sdk/protocol/errors.ts";
import type { StoredEvent } from "../../sdk/protocol/event-record.ts";
import type { UpdateRefusal } from "../../sdk/protocol/update-refusal.ts";
import type { ForkRequest, MailAnew } from "../store/forks.ts";
import type { MailItem } from "../store/mail.ts";
import { historyPages, mailPages } from "../store/pages.ts";
import { carriesPayload, type PayloadCoder } from "./payload-coder.ts";
import { someAtOnce } from "./some-at-once.ts";

/** Only what became of an update in its mailbox is wanted, none of its events. */
const AFTER_ALL_EVENTS = 2 ** 31 - 1;

export class ForkCopy {
  readonly #coder: PayloadCoder;
  readonly #request: ForkRequest;
  readonly #events: StoredEvent[] = [];
  readonly #mail: MailAnew[] = [];
  #seenMail = 0;

  constructor(coder: PayloadCoder, request: ForkRequest) {
    this.#coder = coder;
    this.#request = request;
  }

  /** For the store behind the codecs. Rejects with PAYLOAD_UNREADABLE, PAYLOAD_TOO_LARGE, CODEC_FAILED. */
  async take(): Promise<ForkRequest> {
    try {
      await this.#takeEvents();
      await this.#takeMail();
    } catch (error) {
      throw isEverstepError(error) ? notForked(this.#request, error) : error;
    }
    const anew = { events: this.#events, mail: this.#mail };
    const forked = { ...this.#request, edited: null, anew };
    return forked.terminates === null ? { ...forked, seenMail: this.#seenMail } : forked;
  }

  async #takeEvents(): Promise<void> {
    const { sourceId, runId, at, edited } = this.#request;
    for await (const page of historyPages(this.#coder.kept, sourceId, this.#events.length, at)) {
      const anew = await someAtOnce(page, async (kept) => {
        const isEdited = edited !== null && kept.seq === at;
        const plain = isEdited ? { ...kept, ...edited } : await this.#coder.decodeEvent(sourceId, kept);
        return this.#coder.encodeEvent(runId, plain);
      });
      this.#events.push(...anew);
    }
  }

  async #takeMail(): Promise<void> {
    const { workflowId, takenMail, keepsSignals, sourceId, seenMail = Number.POSITIVE_INFINITY } = this.#request;
    const isShared = ({ mail, kind }: MailItem) =>
      carriesPayload(kind) && (mail <= takenMail || (keepsSignals && kind === "signal" && mail <= seenMail));
    for await (const page of mailPages(this.#coder.kept, sourceId, this.#seenMail)) {
      const shared = page.filter(isShared);
      const refusals = await this.#refusalsAmong(shared);
      const anew = await someAtOnce(shared, async (kept): Promise<MailAnew> => {
        const { mailId, payload } = await this.#coder.encodeKept(await this.#coder.decodeMail(kept), { workflowId });
        return { mailId, payload, refusal: refusals.get(mailId) ?? null };
      });
      this.#mail.push(...anew);
      this.#seenMail = Math.min(page.at(-1)?.mail ?? 0, seenMail);
    }
  }

  /** By the ids of the updates that were not taken. */
  async #refusalsAmong(shared: readonly MailItem[]): Promise<ReadonlyMap<string, UpdateRefusal>> {
    const { sourceId, runId } = this.#request;
    const updates = shared.filter(({ kind }) => kind === "update");
    const looks = updates.map(({ mailId }) => ({ runId: sourceId, mailId, after: AFTER_ALL_EVENTS }));
    const traces = await this.#coder.kept.readUpdates(looks);
    const refusals = await someAtOnce(updates, async ({ mail, mailId }, index) => {
      const refusal = traces[index]?.refusal ?? null;
      if (refusal === null) return [];
      const plain = await this.#coder.decodeRefusal(sourceId, mail, refusal);
      return [[mailId, (await this.#coder.encodeRefusal(runId, { mail, refusal: plain })).refusal] as const];
    });
    return new Map(refusals.flat());
  }
}

function notForked({ sourceId }: ForkRequest, cause: EverstepError): EverstepError {
  const message = `Run ${sourceId} was not forked, and nothing has changed: ${cause.message}`;
  return new EverstepError(cause.code, message, { cause, details: { ...cause.details, runId: sourceId } });
}

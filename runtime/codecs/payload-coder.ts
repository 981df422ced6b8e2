// Puts what a store takes and gives through the codecs: starts, mail, turns, histories. What is sent again is sent as it
// was: each start, item of mail and turn is encoded once.

import { isEverstepError } from "../../sdk/protocol/errors.ts";
import type { StoredEvent } from "../../sdk/protocol/event-record.ts";
import type { Payload } from "../../sdk/protocol/payload.ts";
import { isEncoded, readEncoded } from "../../sdk/protocol/payload-encoded.ts";
import type { UpdateRefusal } from "../../sdk/protocol/update-refusal.ts";
import type { LoadedHistory } from "../store/claims.ts";
import type { Answer, Errand } from "../store/errands.ts";
import type { KeptMail, MailItem, MailKind, MailRequest, UpdateTrace } from "../store/mail.ts";
import { idIn, type RunRef } from "../store/run-ref.ts";
import type { ImportRequest, StartRequest } from "../store/starts.ts";
import type { Store, StoreCodecs } from "../store/store.ts";
import type { AppendTurn, RefusedUpdate, TurnEffects } from "../store/turns.ts";
import type { World } from "../world/world.ts";
import { CodecChain } from "./codec-chain.ts";
import { CodecTrouble } from "./codec-trouble.ts";
import { Forgetting } from "./forgetting.ts";
import type { PayloadCodec, PayloadPlace } from "./payload-codec.ts";
import { codeEvent, heartbeatPlace, mailPlace, refusalPlace } from "./payload-places.ts";
import { someAtOnce } from "./some-at-once.ts";

const MOST_WORKFLOW_IDS = 10_000;

export class PayloadCoder implements StoreCodecs {
  readonly kept: Store;
  readonly forgetting: Forgetting;
  readonly #chain: CodecChain;
  readonly #trouble: CodecTrouble;
  readonly #turns = new WeakMap<AppendTurn, Promise<AppendTurn>>();
  readonly #starts = new WeakMap<StartRequest, Promise<StartRequest>>();
  readonly #imports = new WeakMap<ImportRequest, Promise<ImportRequest>>();
  readonly #mail = new WeakMap<MailRequest, Promise<MailRequest>>();
  readonly #workflowIds = new Map<string, string>();

  constructor(kept: Store, codecs: readonly PayloadCodec[], world: World) {
    this.kept = kept;
    this.#chain = new CodecChain(codecs, world.clock);
    this.forgetting = new Forgetting(kept, this.#chain, world.log);
    this.#trouble = new CodecTrouble(world);
  }

  readonly encode = (payload: Payload, place: PayloadPlace): Promise<Payload> =>
    this.#note(this.#chain.encode(payload, place));

  readonly decode = (payload: Payload, place: PayloadPlace): Promise<Payload> =>
    this.#note(this.#chain.decode(payload, place));

  encodeStart(request: StartRequest): Promise<StartRequest> {
    return once(this.#starts, request, async () => {
      const { runId, workflowId, mail } = request;
      this.#remember(runId, workflowId);
      const started = await codeEvent(runId, 1, request.started, this.encode);
      if (mail === null) return { ...request, started };
      // It may end up in the mailbox of another run of this workflow id.
      const payload = await this.encode(mail.payload, mailPlace({ workflowId }, mail));
      return { ...request, started, mail: { ...mail, payload } };
    });
  }

  /** What was read elsewhere is plain, and bound to its place here as if it had been written here. */
  encodeImport(request: ImportRequest): Promise<ImportRequest> {
    return once(this.#imports, request, async () => {
      const { runId, workflowId, events, mail } = request;
      return {
        ...request,
        events: await someAtOnce(events, (event) => codeEvent(runId, event.seq, event, this.encode)),
        mail: await someAtOnce(mail, (item) => this.encodeKept(item, { workflowId })),
      };
    });
  }

  /** Mail as it lies in the mailbox of a run of this workflow id. */
  async encodeKept<Item extends KeptMail>(item: Item, to: { readonly workflowId: string }): Promise<Item> {
    if (!carriesPayload(item.kind)) return item;
    return { ...item, payload: await this.encode(item.payload, mailPlace(to, item)) };
  }

  encodeMail(request: MailRequest): Promise<MailRequest> {
    if (!carriesPayload(request.kind)) return Promise.resolve(request);
    return once(this.#mail, request, async () => ({
      ...request,
      payload: await this.#encodeMail(request.to, request),
    }));
  }

  // Bound to the workflow id, however the run is named: mail that a run has not taken is moved to the one that continues it.
  async #encodeMail(to: RunRef, mail: Omit<MailRequest, "to">): Promise<Payload> {
    if ("workflowId" in to) return this.encode(mail.payload, mailPlace(to, mail));
    const runId = idIn(to);
    const workflowId = await this.#workflowIdOf(runId);
    return this.encode(mail.payload, mailPlace(workflowId === undefined ? { runId } : { workflowId }, mail));
  }

  encodeTurn(turn: AppendTurn): Promise<AppendTurn> {
    const { base, events, refusals, effects } = turn;
    const { runId } = turn.claim;
    return once(this.#turns, turn, async () => ({
      ...turn,
      events: await someAtOnce(events, (event, index) => codeEvent(runId, base + index + 1, event, this.encode)),
      refusals: await someAtOnce(refusals, (refused) => this.encodeRefusal(runId, refused)),
      effects: effects === null ? null : await this.#encodeEffects(effects),
    }));
  }

  async #encodeEffects(effects: TurnEffects): Promise<TurnEffects> {
    const { errands, successor } = effects;
    return {
      ...effects,
      errands: await someAtOnce(errands, (errand) => this.#encodeErrand(errand)),
      successor: successor && (await this.#encodeFirst(successor)),
    };
  }

  async #encodeErrand(errand: Errand): Promise<Errand> {
    if (errand.do === "start") return { ...errand, child: await this.#encodeFirst(errand.child) };
    if (errand.do === "terminate" || errand.do === "regain" || !carriesPayload(errand.mail.kind)) return errand;
    return { ...errand, mail: { ...errand.mail, payload: await this.#encodeMail(errand.to, errand.mail) } };
  }

  async #encodeFirst<Run extends Pick<StartRequest, "runId" | "started">>(run: Run): Promise<Run> {
    return { ...run, started: await codeEvent(run.runId, 1, run.started, this.encode) };
  }

  // What a validator threw is its code's word. The other reasons are ours, and name what is plain elsewhere, too.
  async encodeRefusal(runId: string, refused: RefusedUpdate): Promise<RefusedUpdate> {
    const { code, message, failure } = refused.refusal;
    if (code !== "UPDATE_REJECTED") return refused;
    const text = JSON.stringify({ message, failure });
    const encoded = await this.encode(text, refusalPlace(runId, refused.mail));
    if (encoded === null || encoded === text) return refused;
    return { mail: refused.mail, refusal: { code, message: encoded, failure: null } };
  }

  async decodeRefusal(runId: string, mail: number, refusal: UpdateRefusal): Promise<UpdateRefusal> {
    const { code, message, failure } = refusal;
    if (code !== "UPDATE_REJECTED") return refusal;
    const stored = isEncoded(message) ? message : JSON.stringify({ message, failure });
    const text = await this.decode(stored, refusalPlace(runId, mail));
    if (text === stored) return refusal;
    return { code, ...(JSON.parse(text ?? "{}") as Pick<UpdateRefusal, "message" | "failure">) };
  }

  async decodeTrace(runId: string, trace: UpdateTrace): Promise<UpdateTrace> {
    const { mail, refusal, events } = trace;
    return {
      ...trace,
      events: await someAtOnce(events, (event) => this.decodeEvent(runId, event)),
      refusal: mail === null || refusal === null ? refusal : await this.decodeRefusal(runId, mail, refusal),
    };
  }

  async decodeHistory({ runId, events, heartbeats }: LoadedHistory): Promise<LoadedHistory> {
    return {
      runId,
      events: await someAtOnce(events, (event) => this.decodeEvent(runId, event)),
      heartbeats: await someAtOnce(heartbeats, async (beat) => {
        const details = await this.decode(beat.details, heartbeatPlace(runId, beat.command, beat.attempt));
        return { ...beat, details };
      }),
    };
  }

  encodeEvent(runId: string, event: StoredEvent): Promise<StoredEvent> {
    return codeEvent(runId, event.seq, event, this.encode);
  }

  decodeEvent(runId: string, event: StoredEvent): Promise<StoredEvent> {
    return codeEvent(runId, event.seq, event, this.decode);
  }

  async decodeMail(item: MailItem): Promise<MailItem> {
    if (item.kind === "answer") return { ...item, payload: await this.#decodeAnswer(item.payload) };
    if (!carriesPayload(item.kind)) return item;
    const isByWorkflowId = item.payload !== null && readEncoded(item.payload)?.to === "workflow";
    const workflowId = isByWorkflowId ? ((await this.#workflowIdOf(item.runId)) ?? "") : "";
    const to = isByWorkflowId ? { workflowId } : { runId: item.runId };
    return { ...item, payload: await this.decode(item.payload, mailPlace(to, item)) };
  }

  // A child's end is told by the event that closed it, with its payload as it was encoded there.
  async #decodeAnswer(payload: Payload): Promise<Payload> {
    const answer = JSON.parse(payload ?? "null") as Answer;
    if (answer.type !== "ChildEnded" || answer.end.seq === null) return payload;
    const { runId, seq, event } = answer.end;
    const end = { ...answer.end, event: await codeEvent(runId, seq, event, this.decode) };
    return JSON.stringify({ ...answer, end });
  }

  async #workflowIdOf(runId: string): Promise<string | undefined> {
    const known = this.#workflowIds.get(runId);
    if (known !== undefined) return known;
    const workflowId = (await this.kept.findRun({ runId }))?.workflowId;
    if (workflowId !== undefined) this.#remember(runId, workflowId);
    return workflowId;
  }

  #remember(runId: string, workflowId: string): void {
    if (this.#workflowIds.size >= MOST_WORKFLOW_IDS) this.#workflowIds.clear();
    this.#workflowIds.set(runId, workflowId);
  }

  async #note<T>(coding: Promise<T>): Promise<T> {
    try {
      return await coding;
    } catch (error) {
      if (isEverstepError(error, "CODEC_FAILED")) this.#trouble.failed(error.message);
      throw error;
    }
  }
}

/**
 * Mail of all other kinds has nothing of the user's but who asked for it; an answer tells of a child's end as the child has it.
 */
export function carriesPayload(kind: MailKind): boolean {
  return kind === "signal" || kind === "update" || kind === "stepReport";
}

/** The same answer whenever it is asked for again; what failed is tried anew. */
function once<T extends object>(made: WeakMap<T, Promise<T>>, request: T, make: () => Promise<T>): Promise<T> {
  const before = made.get(request);
  if (before !== undefined) return before;
  const making = make();
  made.set(request, making);
  making.catch(() => made.delete(request));
  return making;
}

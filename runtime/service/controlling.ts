// What is done to runs from outside their code: ended, halted, let go on, given to other code, and forked.

import type { Acting, ControlCall, ForkCall, ForkedRun, RunReference } from "../../sdk/client/front-door.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import { assertWorkflowId } from "../../sdk/protocol/names.ts";
import type { ForkRequest } from "../store/forks.ts";
import type { ControlKind } from "../store/mail.ts";
import type { RunDetail } from "../store/runs.ts";
import type { Topic } from "../wake/wakeups.ts";
import { forkIdOf, newRunId } from "../world/run-id.ts";
import type { Desk } from "./desk.ts";
import { withReadableMail } from "./forked-mail.ts";
import { planFork } from "./forking.ts";
import { readEvents } from "./history-export.ts";
import { closedError, nameOf, notFound } from "./run-errors.ts";
import type { Versions } from "./versions.ts";

const CONTROLLED = { pause: "paused", resume: "resumed", unblock: "unblocked" } as const;

export class Controlling {
  readonly #desk: Desk;
  readonly #versions: Versions;

  constructor(desk: Desk, versions: Versions) {
    this.#desk = desk;
    this.#versions = versions;
  }

  async terminate(to: RunReference, reason: string, { actor }: Acting = {}): Promise<void> {
    let run = await this.#desk.find(to);
    while ((await this.#desk.insist(() => this.#desk.store.terminateRun(run.runId, reason, actor))) !== "terminated") {
      // It may have continued as new since it was found.
      const latest = await this.#desk.find(to);
      if (latest.runId === run.runId) throw closedError(run.workflowId, "It cannot be terminated any more.");
      run = latest;
    }
    const topics: Topic[] = [`run/${run.runId}`];
    if (run.ownerId !== null) topics.push(`worker/${run.ownerId}`);
    this.#desk.wakeups.publish(topics);
    this.#desk.doErrands();
  }

  pause(to: RunReference, reason: string, call?: ControlCall): Promise<void> {
    return this.#control(to, "pause", reason, call);
  }

  resume(to: RunReference, call?: ControlCall): Promise<void> {
    return this.#control(to, "resume", "", call);
  }

  unblock(to: RunReference, call?: ControlCall): Promise<void> {
    return this.#control(to, "unblock", "", call);
  }

  async move(to: RunReference, version: string | null, { requestId, ...by }: ControlCall = {}): Promise<void> {
    let run = await this.#desk.find(to);
    if (version !== null) await this.#versions.require(run.workflow, version);
    for (;;) {
      const { runId } = run;
      // Chosen before the first try: a repeated request is recognised by it.
      const mailId = `move:${requestId ?? this.#desk.world.chance.uuid()}`;
      const request = { runId, mailId, version, ...by };
      const moved = await this.#desk.insist(() => this.#desk.store.moveRun(request));
      if (moved.outcome === "notFound") throw notFound(nameOf(to));
      if (moved.outcome !== "closed") return this.#desk.wake(moved);
      // It may have continued as new since it was found.
      run = await this.#desk.find(to);
      if (run.runId === runId) throw closedError(run.workflowId, "It cannot be moved any more.");
    }
  }

  async foreseeMove(to: RunReference, version: string | null): Promise<void> {
    const { workflow, workflowId, closedAt } = await this.#desk.find(to);
    if (version !== null) await this.#versions.require(workflow, version);
    if (closedAt !== null) throw closedError(workflowId, "It cannot be moved any more.");
  }

  async fork(to: RunReference, call: ForkCall): Promise<ForkedRun> {
    const planned = await this.#planFork(to, call);
    if ("made" in planned) return planned.made;
    const { source } = planned;
    // Behind codecs the store reads what it shares.
    const request = this.#desk.codecs === undefined ? await this.#withReadableMail(planned) : planned.request;
    const { runId, workflowId } = request;
    const { outcome, runId: found } = await this.#desk.insist(() => this.#desk.store.forkRun(request));
    if (outcome === "notFound") throw notFound(nameOf(to));
    if (outcome === "refused") throw idTaken(workflowId, found);
    const topics: Topic[] = [`queue/${source.queue}`];
    if (request.terminates !== null && source.closedAt === null) topics.push(`run/${source.runId}`);
    if (request.terminates !== null && source.ownerId !== null) topics.push(`worker/${source.ownerId}`);
    this.#desk.wakeups.publish(topics);
    if (request.terminates !== null) this.#desk.doErrands();
    return { runId, workflowId };
  }

  async foreseeFork(to: RunReference, call: ForkCall): Promise<void> {
    const planned = await this.#planFork(to, call);
    if ("made" in planned) return;
    const { source, request } = planned;
    const { workflowId, terminates } = request;
    await this.#withReadableMail(planned);
    const inTheWay = await this.#desk.insist(() => this.#desk.store.findRun({ workflowId }));
    if (inTheWay === null || inTheWay.closedAt !== null) return;
    if (terminates === null || inTheWay.runId !== source.runId) throw idTaken(workflowId, inTheWay.runId);
  }

  async #planFork(to: RunReference, call: ForkCall): Promise<PlannedFork> {
    const { chance } = this.#desk.world;
    if (call.workflowId !== null) assertWorkflowId(call.workflowId, "fork({ id })");
    const source = await this.#desk.find(to);
    // What a bulk has made is not for it to do anything to.
    if (call.bulkId !== null && isForkOf(call.bulkId, source)) return { made: source };
    if (call.version != null) await this.#versions.require(source.workflow, call.version);
    const events = await this.#desk.insist(() => readEvents(this.#desk.store, source.runId));
    // Chosen before the first try: a repeated fork is recognised by it. The last run of a workflow id is the last by run id.
    const runId = call.bulkId === null ? newRunId(this.#desk.world, source.runId) : forkIdOf(call.bulkId, source.runId);
    const request = planFork(source, events, call, { runId, seed: chance.uuid() });
    await this.#assertChildrenKept(source, request);
    return { source, request };
  }

  #withReadableMail({ source, request }: NewFork): Promise<ForkRequest> {
    return this.#desk.insist(() => withReadableMail(this.#desk.store, source, request));
  }

  async #assertChildrenKept({ runId, workflowId }: RunDetail, { at, children = [] }: ForkRequest): Promise<void> {
    const started = children.filter(({ isStarted }) => isStarted).map((child) => child.runId);
    if (started.length === 0) return;
    const { store } = this.#desk;
    const missing = await this.#desk.insist(async () => {
      for (const childId of await store.missingRuns(started)) {
        // One that was reset goes on as its fork, which is followed.
        if ((await store.findRun({ lineOf: childId })) === null) return childId;
      }
      return undefined;
    });
    if (missing === undefined) return;
    const message = `Run ${workflowId} is not forked: at event ${at} it waits for child run ${missing}, which has been deleted since. Fork it before that was asked for, or after it had ended.`;
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { runId, argument: "at", childRunId: missing } });
  }

  async #control(
    to: RunReference,
    kind: ControlKind,
    reason: string,
    { requestId, ...by }: ControlCall = {},
  ): Promise<void> {
    const { runId, workflowId } = await this.#desk.find(to);
    // Chosen before the first try: a repeated request is recognised by it.
    const request = { runId, kind, mailId: `${kind}:${requestId ?? this.#desk.world.chance.uuid()}`, reason, ...by };
    const { outcome, queue, ownerId } = await this.#desk.insist(() => this.#desk.store.controlRun(request));
    if (outcome === "closed") throw closedError(workflowId, `It cannot be ${CONTROLLED[kind]} any more.`);
    if (outcome === "notFound") throw notFound(nameOf(to));
    this.#desk.wake({ ownerId, queue });
  }
}

type NewFork = { readonly source: RunDetail; readonly request: ForkRequest };
type PlannedFork = { readonly made: ForkedRun } | NewFork;

function idTaken(workflowId: string, runId: string): EverstepError {
  const message = `Run ${workflowId} is open (run id ${runId}), so no fork can have its id. Give the fork an id of its own, or use reset() to put it in the place of the run.`;
  return new EverstepError("RUN_ALREADY_STARTED", message, { details: { workflowId, runId } });
}

function isForkOf(bulkId: string, { runId, forkedFrom }: RunDetail): boolean {
  return forkedFrom !== null && forkIdOf(bulkId, forkedFrom.runId) === runId;
}

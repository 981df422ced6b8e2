// A front door with interceptors before it. They see what is asked of which run; what is stored passes them by.

import { EverstepError } from "../protocol/errors.ts";
import { NO_HEADERS, type RunHeaders } from "../protocol/headers.ts";
import { callAround } from "../workflow/interceptors.ts";
import { type ClientCall, type ClientOperation, type ClientOperations, READING } from "./client-calls.ts";
import type { FrontDoor, StartCall, StartReply } from "./front-door.ts";
import { interceptedWalk } from "./intercepted-walk.ts";
import type { Interceptor } from "./interceptors.ts";
import {
  controlShown,
  endingShown,
  forkShown,
  listShown,
  repairShown,
  runShown,
  startShown,
  stepShown,
} from "./shown-calls.ts";

type StartNext = (headers: RunHeaders) => Promise<StartReply>;
type StartLink = (headers: RunHeaders, next: StartNext) => Promise<StartReply>;
type Hook<Reply> = (call: object, next: () => Promise<Reply>) => Promise<Reply>;

/** The very door where nothing stands before it. */
export function interceptedDoor(door: FrontDoor, interceptors: readonly Interceptor[]): FrontDoor {
  const parts = interceptors.map(({ client }) => client).filter((part) => part !== undefined);
  if (parts.length === 0) return door;

  /** Of each interceptor the hook for all calls, and within it the one for this. */
  function hooksFor<Reply>(operation: ClientOperation): readonly Hook<Reply>[] {
    return parts.flatMap((part) => {
      const own = (part as Readonly<Record<string, unknown>>)[operation];
      const hooks = [part.call, own].filter((hook) => typeof hook === "function");
      return hooks.map((hook) => hook.bind(part) as Hook<Reply>);
    });
  }

  async function through<Operation extends Exclude<ClientOperation, "start">, Reply>(
    operation: Operation,
    call: ClientOperations[Operation],
    last: () => Promise<Reply>,
  ): Promise<Reply> {
    const reply = await callAround(hooksFor<Reply>(operation), ofOperation(operation, call), last);
    return answered(operation, reply);
  }

  /** As `through`; a hook for starts may exchange the headers, which those within it see. */
  async function start(call: StartCall): Promise<StartReply> {
    const links = parts.flatMap((part) => {
      const all: StartLink = (headers, next) =>
        part.call === undefined
          ? next(headers)
          : part.call(ofOperation("start", startShown(call, headers)), () => next(headers));
      const own: StartLink = (headers, next) =>
        part.start === undefined
          ? next(headers)
          : part.start(startShown(call, headers), (changes) => next(changes?.headers ?? headers));
      return [all, own];
    });
    const first = links.reduceRight<StartNext>(
      (next, link) => async (headers) => link(headers, next),
      (headers) => door.start({ ...call, headers }),
    );
    return answered("start", await first(call.headers ?? NO_HEADERS));
  }

  return {
    openBulk: (bulkId) => door.openBulk(bulkId),
    start,
    // A batch still: starts that come together are sent together. As without interceptors, all are tried.
    async startMany(calls) {
      const settled = await Promise.allSettled(calls.map(start));
      return settled.map((each) => {
        if (each.status === "rejected") throw each.reason;
        return each.value;
      });
    },
    signal(to, signal) {
      const { name, signalId } = signal;
      const call = { ...runShown(to), name, signalId: signalId ?? undefined };
      return through("signal", call, () => door.signal(to, signal));
    },
    sendUpdate(to, update) {
      const { name, updateId } = update;
      const call = { ...runShown(to), name, updateId: updateId ?? undefined };
      return through("update", call, () => door.sendUpdate(to, update));
    },
    awaitUpdate(update, stage, timeoutMs) {
      const { to, name, updateId } = update;
      const call = { ...runShown(to), name, updateId, waitFor: stage };
      return through("updateResult", call, () => door.awaitUpdate(update, stage, timeoutMs));
    },
    query(to, name, input, timeoutMs, onlyIf) {
      const call = { ...runShown(to), name, onlyIf };
      return through("query", call, () => door.query(to, name, input, timeoutMs, onlyIf));
    },
    reportStep(step, report) {
      return through(REPORTS[report.outcome], stepShown(step, report), () => door.reportStep(step, report));
    },
    deliverWebhook(token, call) {
      const shown = { deliveryId: call.deliveryId ?? undefined };
      return through("deliverWebhook", shown, () => door.deliverWebhook(token, call));
    },
    cancel: (to, reason, by) => through("cancel", endingShown(to, reason, by), () => door.cancel(to, reason, by)),
    terminate(to, reason, by) {
      return through("terminate", endingShown(to, reason, by), () => door.terminate(to, reason, by));
    },
    pause(to, reason, call) {
      return through("pause", { ...controlShown(to, call), reason }, () => door.pause(to, reason, call));
    },
    resume: (to, call) => through("resume", controlShown(to, call), () => door.resume(to, call)),
    unblock: (to, call) => through("unblock", controlShown(to, call), () => door.unblock(to, call)),
    move(to, version, call) {
      return through("move", { ...controlShown(to, call), version }, () => door.move(to, version, call));
    },
    retryNow: (to, call) => through("retryNow", repairShown(to, call), () => door.retryNow(to, call)),
    skipSleep: (to, call) => through("skipSleep", repairShown(to, call), () => door.skipSleep(to, call)),
    fork: (to, call) => through("fork", forkShown(to, call), () => door.fork(to, call)),
    foresee: (to, deed) => through("foresee", { ...runShown(to), deed: deed.do }, () => door.foresee(to, deed)),
    outcome: (to, timeoutMs, follows) => through("result", runShown(to), () => door.outcome(to, timeoutMs, follows)),
    describe: (to) => through("describe", runShown(to), () => door.describe(to)),
    list: (call) => through("list", listShown(call), () => door.list(call)),
    listPatches: (call) => through("listPatches", listShown(call), () => door.listPatches(call)),
    count(call) {
      const { by, ...filter } = call;
      return through("count", { filter, by }, () => door.count(call));
    },
    locks: (call) => through("locks", { key: call.key ?? undefined }, () => door.locks(call)),
    versions: (workflow) => through("versions", { workflow }, () => door.versions(workflow)),
    setVersionPolicy(workflow, policy, by) {
      const shown = { workflow, policy, actor: by?.actor };
      return through("setVersionPolicy", shown, () => door.setVersionPolicy(workflow, policy, by));
    },
    versionPolicyHistory(workflow, limit) {
      return through("versionPolicyHistory", { workflow }, () => door.versionPolicyHistory(workflow, limit));
    },
    exportRun: (to) => through("exportRun", runShown(to), () => door.exportRun(to)),
    importRun(file) {
      // What is no file is refused behind the door.
      const { workflow, workflowId, runId } = file ?? {};
      return through("importRun", { workflow, workflowId, runId }, () => door.importRun(file));
    },
    prune(call) {
      const shown = { ...call, workflow: call.workflow ?? undefined };
      return through("prune", shown, () => door.prune(call));
    },
    history: (to) =>
      interceptedWalk(
        () => door.history(to),
        (walk) => through("history", runShown(to), walk),
      ),
    close: () => door.close(),
  };
}

const REPORTS = { completed: "completeStep", failed: "failStep", heartbeat: "heartbeatStep" } as const;

function ofOperation<Operation extends ClientOperation>(
  operation: Operation,
  call: ClientOperations[Operation],
): ClientCall {
  const isReading = (READING as readonly ClientOperation[]).includes(operation);
  return { ...call, operation, isReading } as object as ClientCall;
}

/** What a door is asked for and answers with nothing: reports have an operation for each outcome. */
type Answerless = Exclude<
  {
    [Name in keyof FrontDoor]: FrontDoor[Name] extends (...given: never) => Promise<void> ? Name : never;
  }[keyof FrontDoor],
  "close" | "reportStep"
>;

const WITHOUT_ANSWER: Readonly<Record<Answerless | (typeof REPORTS)[keyof typeof REPORTS], true>> = {
  signal: true,
  completeStep: true,
  failStep: true,
  heartbeatStep: true,
  deliverWebhook: true,
  cancel: true,
  terminate: true,
  pause: true,
  resume: true,
  unblock: true,
  move: true,
  retryNow: true,
  skipSleep: true,
  foresee: true,
  setVersionPolicy: true,
};

/** An interceptor that forgot to return would show itself far from here. */
function answered<Reply>(operation: ClientOperation, reply: Reply): Reply {
  if (reply !== undefined || Object.hasOwn(WITHOUT_ANSWER, operation)) return reply;
  const message = `An interceptor around client calls returned nothing for ${operation}(). Return what next() gave.`;
  throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: `interceptors.client.${operation}` } });
}

// A front door with interceptors before it. They see what is asked of which run; what is stored passes them by.

import { EverstepError } from "../protocol/errors.ts";
import { NO_HEADERS } from "../protocol/headers.ts";
import { callAround, hooksOf } from "../workflow/interceptors.ts";
import type { FrontDoor, RunReference, StartCall, StartReply } from "./front-door.ts";
import type { ClientInterceptor, Interceptor, RunCall, StartChanges, StartClientCall } from "./interceptors.ts";

type Hook<Call, Reply> = (call: Call, next: () => Promise<Reply>) => Promise<Reply>;
type StartHook = (call: StartClientCall, next: (changes?: StartChanges) => Promise<StartReply>) => Promise<StartReply>;

/** The very door where nothing stands before it. */
export function interceptedDoor(door: FrontDoor, interceptors: readonly Interceptor[]): FrontDoor {
  const parts = interceptors.map(({ client }) => client).filter((part) => part !== undefined);
  if (parts.length === 0) return door;

  /** `last` through the hooks of one name. */
  async function through<Call, Reply>(
    name: Exclude<keyof ClientInterceptor, "start">,
    call: Call,
    last: () => Promise<Reply>,
  ): Promise<Reply> {
    const hooks = (hooksOf(parts, name) ?? []) as readonly Hook<Call, Reply>[];
    return answered(name, await callAround(hooks, call, last));
  }

  async function start(call: StartCall): Promise<StartReply> {
    const hooks = (hooksOf(parts, "start") ?? []) as readonly StartHook[];
    const { workflow, workflowId, queue, requestId, signal, update } = call;
    const shown = {
      workflow,
      workflowId: workflowId ?? undefined,
      queue: queue ?? undefined,
      requestId: requestId ?? undefined,
      signal: signal?.name,
      update: update?.name,
    };
    type Next = (headers: StartCall["headers"]) => Promise<StartReply>;
    const first = hooks.reduceRight<Next>(
      (next, hook) =>
        async (headers = NO_HEADERS) =>
          hook({ ...shown, headers }, (changes) => next(changes?.headers ?? headers)),
      (headers) => door.start({ ...call, headers }),
    );
    return answered("start", await first(call.headers));
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
      const call = { ...runCall(to), name, signalId: signalId ?? undefined };
      return through("signal", call, () => door.signal(to, signal));
    },
    sendUpdate(to, update) {
      const { name, updateId } = update;
      const call = { ...runCall(to), name, updateId: updateId ?? undefined };
      return through("update", call, () => door.sendUpdate(to, update));
    },
    awaitUpdate(update, stage, timeoutMs) {
      const { to, name, updateId } = update;
      const call = { ...runCall(to), name, updateId, waitFor: stage };
      return through("updateResult", call, () => door.awaitUpdate(update, stage, timeoutMs));
    },
    query(to, name, input, timeoutMs) {
      return through("query", { ...runCall(to), name }, () => door.query(to, name, input, timeoutMs));
    },
    reportStep: (step, report) => door.reportStep(step, report),
    deliverWebhook: (token, call) => door.deliverWebhook(token, call),
    cancel: (to, reason) => through("cancel", { ...runCall(to), reason }, () => door.cancel(to, reason)),
    terminate: (to, reason) => through("terminate", { ...runCall(to), reason }, () => door.terminate(to, reason)),
    pause: (to, reason, requestId) => door.pause(to, reason, requestId),
    resume: (to, requestId) => door.resume(to, requestId),
    unblock: (to, requestId) => door.unblock(to, requestId),
    move: (to, version) => door.move(to, version),
    retryNow: (to, call) => door.retryNow(to, call),
    skipSleep: (to, call) => door.skipSleep(to, call),
    fork: (to, call) => door.fork(to, call),
    outcome: (to, timeoutMs, follows) => through("result", runCall(to), () => door.outcome(to, timeoutMs, follows)),
    describe: (to) => door.describe(to),
    list: (call) => door.list(call),
    listPatches: (call) => door.listPatches(call),
    count: (call) => door.count(call),
    locks: (call) => door.locks(call),
    versions: (workflow) => door.versions(workflow),
    setVersionPolicy: (workflow, policy) => door.setVersionPolicy(workflow, policy),
    exportRun: (to) => door.exportRun(to),
    importRun: (file) => door.importRun(file),
    prune: (call) => door.prune(call),
    history: (to) => door.history(to),
    close: () => door.close(),
  };
}

function runCall(to: RunReference): RunCall {
  if ("workflowId" in to) return { runId: undefined, workflowId: to.workflowId };
  return { runId: "runId" in to ? to.runId : to.chainOf, workflowId: undefined };
}

const WITHOUT_ANSWER: readonly (keyof ClientInterceptor)[] = ["signal", "cancel", "terminate"];

/** An interceptor that forgot to return would show itself far from here. */
function answered<Reply>(name: keyof ClientInterceptor, reply: Reply): Reply {
  if (reply !== undefined || WITHOUT_ANSWER.includes(name)) return reply;
  const message = `An interceptor's client.${name}() returned nothing. Return what next() gave.`;
  throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: `interceptors.client.${name}` } });
}

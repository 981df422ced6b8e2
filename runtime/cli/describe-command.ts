// `everstep describe`: what a run is doing, or why it is not moving.

import { Command } from "commander";
import type { RunDescription } from "../../sdk/client/front-door.ts";
import type { Pause } from "../../sdk/protocol/run.ts";
import { formatFacts, formatLine, formatTable, formatText, formatTime } from "./table.ts";
import { formatJson } from "./values.ts";
import { addRunOptions, type RunOptions, withClient } from "./with-client.ts";

export function describeCommand(): Command {
  const command = new Command("describe").description("show what a run is doing, or why it is not moving");
  return addRunOptions(command).action(async (id: string, options: RunOptions) => {
    const run = await withClient(options, (client) => client.getUntyped(id, options.run).describe());
    console.log(options.json === true ? formatJson(run) : formatDescription(run));
  });
}

function lockNames(pending: RunDescription["pending"], isHeld: boolean): string | null {
  const names = (pending?.locks ?? []).filter(({ fencingToken }) => (fencingToken !== null) === isHeld);
  return names.length === 0 ? null : names.map(({ name }) => name).join(", ");
}

function pausedLine({ at, actor, reason }: Pause): string {
  return `${formatTime(at)}${actor === undefined ? "" : ` by ${actor}`}: ${reason}`;
}

function formatDescription(run: RunDescription): string {
  const { pending } = run;
  const facts = formatFacts({
    id: run.workflowId,
    run: run.runId,
    workflow: run.workflow,
    version: run.version,
    about: run.staticSummary === null ? null : formatLine(run.staticSummary),
    queue: run.queue,
    status: run.status,
    attempt: run.attempt === 1 ? null : String(run.attempt),
    "failed before":
      run.lastFailure === null ? null : `${run.lastFailure.type}: ${formatLine(run.lastFailure.message)}`,
    started: formatTime(run.startedAt),
    closed: run.closedAt === null ? null : formatTime(run.closedAt),
    deadline: run.deadlineAt === null ? null : formatTime(run.deadlineAt),
    events: String(run.events),
    worker: run.ownerId,
    "due at": run.wakeAt === null ? null : formatTime(run.wakeAt),
    crashes: run.crashCount === 0 ? null : String(run.crashCount),
    unread: run.unreadMail === 0 ? null : `${run.unreadMail} message(s)`,
    "waits for": pending === null || pending.signals.length === 0 ? null : pending.signals.join(", "),
    conditions: pending === null || pending.conditions === 0 ? null : String(pending.conditions),
    holds: lockNames(pending, true),
    "waits for lock": lockNames(pending, false),
    handlers:
      pending === null || pending.handlers.length === 0
        ? null
        : pending.handlers.map(({ kind, name }) => `${kind} ${name}`).join(", "),
    attributes: Object.keys(run.attributes).length === 0 ? null : formatJson(run.attributes),
    memo: Object.keys(run.memo).length === 0 ? null : formatJson(run.memo),
    forked: run.forkedFrom === null ? null : `from run ${run.forkedFrom.runId} after its event ${run.forkedFrom.event}`,
    paused: run.paused === null ? null : pausedLine(run.paused),
    blocked: run.blocked === null ? null : `${run.blocked.kind}: ${run.blocked.message}`,
  });
  const steps = (pending?.steps ?? []).map(
    ({ command, name, attempt, nextAttemptAt, isDeferred, lastError, summary }) => [
      String(command),
      named(name, summary),
      String(attempt),
      isDeferred ? "from outside" : nextAttemptAt === null ? "now" : formatTime(nextAttemptAt),
      lastError ?? "-",
    ],
  );
  const notes = run.notes.map(({ at, level, text }) => [formatTime(at), level, formatLine(text)]);
  const timers = (pending?.timers ?? []).map(({ command, name, fireAt, summary }) => [
    String(command),
    named(name, summary),
    formatTime(fireAt),
  ]);
  return [
    run.summary,
    facts,
    ...(steps.length === 0 ? [] : [formatTable(["NUMBER", "STEP", "ATTEMPT", "DUE", "LAST ERROR"], steps)]),
    ...(timers.length === 0 ? [] : [formatTable(["NUMBER", "TIMER", "DUE"], timers)]),
    ...(notes.length === 0 ? [] : [formatTable(["NOTED", "LEVEL", "TEXT"], notes)]),
    ...(pending?.currentDetails == null ? [] : [`CURRENT DETAILS\n${formatText(pending.currentDetails)}`]),
    ...(run.staticDetails === null ? [] : [`DETAILS\n${formatText(run.staticDetails)}`]),
  ].join("\n\n");
}

/** A worker of an earlier release knows of no summaries. */
function named(name: string, summary: string | null | undefined): string {
  return summary == null ? name : `${name}: ${formatLine(summary)}`;
}

// `everstep history`: a run's events, from the first. Payloads are shown in stored form; text cuts them, JSON does not.

import { Command } from "commander";
import type { ShownEvent } from "../../sdk/client/front-door.ts";
import { formatLine, formatTable, formatTime } from "./table.ts";
import { formatJson } from "./values.ts";
import { addRunOptions, type RunOptions, withClient } from "./with-client.ts";

const SHOWN_LENGTH = 100;

export function historyCommand(): Command {
  const command = new Command("history").description("print a run's events; as JSON, one a line");
  return addRunOptions(command).action(async (id: string, options: RunOptions) => {
    await withClient(options, async (client) => {
      const rows: string[][] = [];
      for await (const event of client.getUntyped(id, options.run).history()) {
        if (options.json === true) console.log(formatJson(event));
        else
          rows.push([
            String(event.seq),
            formatTime(event.at),
            event.type,
            `${shorten(tell(event))}${byWhom(event)}`.trim(),
          ]);
      }
      if (options.json !== true) console.log(formatTable(["SEQ", "AT", "EVENT", "WHAT"], rows));
    });
  });
}

function byWhom(event: ShownEvent): string {
  return "actor" in event && event.actor !== undefined ? ` (by ${event.actor})` : "";
}

/** With what the code said about it. */
function named({ name, summary }: { readonly name: string; readonly summary?: string }): string {
  return summary === undefined ? name : `${name} (${formatLine(summary)})`;
}

function tell(event: ShownEvent): string {
  switch (event.type) {
    case "RunStarted":
      return `${event.workflow}${event.version === undefined ? "" : ` ${event.version}`} ${event.input ?? ""}`;
    case "StepCompleted":
      return `${named(event)} -> ${event.result ?? "nothing"}${event.attempt === 1 ? "" : ` (attempt ${event.attempt})`}`;
    case "StepFailed":
      return `${named(event)}, attempt ${event.attempt}: ${event.failure.type}: ${event.failure.message}`;
    case "StepAttemptFailed": {
      const { attempt, failure, delayMs } = event;
      return `${named(event)}, attempt ${attempt}, again in ${delayMs} ms: ${failure.type}: ${failure.message}`;
    }
    case "StepDeferred":
      return `${event.name}, attempt ${event.attempt}, to be completed from outside`;
    case "StepReported": {
      const { name, attempt, report, details } = event;
      return report === "ignored" ? `${name}, attempt ${attempt}: came too late` : `${name}: ${details ?? "heartbeat"}`;
    }
    case "TimerStarted":
      return `${named(event)}, ${"afterMs" in event.due ? `after ${event.due.afterMs} ms` : `at ${formatTime(event.due.atMs)}`}`;
    case "StepRetried":
      return `${event.name}, attempt ${event.attempt}, without waiting longer`;
    case "TimerFired":
    case "TimerSkipped":
      return event.name;
    case "RequestIgnored":
      return `${event.request}: what it was for did not wait any more`;
    case "SignalReceived":
      return `${event.name} ${event.payload ?? ""}`;
    case "UpdateAccepted":
      return `${event.name} ${event.input ?? ""}`;
    case "UpdateCompleted":
      return event.failure === null
        ? `${event.name} -> ${event.result ?? "nothing"}`
        : `${event.name}: ${event.failure.type}: ${event.failure.message}`;
    case "PatchMarked":
      return `${event.name}, asked for after event ${event.since}${event.isDeprecated ? " (deprecated)" : ""}`;
    case "CompensationBegun":
      return `of what was done after event ${event.since}`;
    case "AttributesUpserted":
    case "MemoUpserted":
      return event.changes ?? "nothing";
    case "RunForked":
      return `from run ${event.source} after its event ${event.event}${event.isEdited ? ", which was edited" : ""}`;
    case "RunMoved":
      return event.version === null ? "to no version" : `to version ${event.version}`;
    case "RunResumed":
      return "";
    case "RunUnblocked":
      return `was blocked: ${event.kind}`;
    case "RunNoted":
      return `${event.name}: ${formatLine(event.text)}`;
    case "RunPaused":
    case "CancelRequested":
    case "RunTerminated":
      return event.reason;
    case "RunCompleted":
      return event.result ?? "nothing";
    case "RunFailed":
    case "RunCanceled":
      return `${event.failure.type}: ${event.failure.message}`;
    case "RunTimedOut":
      return `open longer than ${event.timeoutMs} ms`;
    case "ChildRequested":
      return `${event.name} as ${event.childWorkflowId}, run ${event.childRunId}`;
    case "RunAdopted":
      return `run ${event.by} waits for its end`;
    case "ChildStarted":
      return `${event.name}${event.adopted === undefined ? "" : `: run ${event.adopted}, which was there before`}`;
    case "ExternalRequested":
    case "ExternalDelivered":
      return event.name;
    case "ChildEnded":
      return `${event.name} -> ${event.failure === null ? (event.result ?? "nothing") : event.failure.message}`;
    case "ChildStartFailed":
    case "ExternalFailed":
      return `${event.name}: ${event.failure.message}`;
    case "LockRequested":
      return event.capacity === 1 ? event.name : `${event.name}, ${event.permits} of ${event.capacity} permits`;
    case "LockGranted":
    case "LockRegained":
      return `${event.name}, fencing token ${event.fencingToken}`;
    case "LockReleased":
      return event.name;
    case "RunContinued": {
      const { nextRunId, workflow, input, retry } = event;
      if (retry === undefined) return `as ${nextRunId}: ${workflow} ${input ?? ""}`;
      const { attempt, delayMs, failure } = retry;
      return `as ${nextRunId}, attempt ${attempt} in ${delayMs} ms: ${failure.type}: ${failure.message}`;
    }
  }
}

function shorten(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length <= SHOWN_LENGTH ? line : `${line.slice(0, SHOWN_LENGTH - 1)}…`;
}

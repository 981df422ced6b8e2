// An interceptor that looks on at all that workflow code asks for, and at what becomes of it, and does nothing about either.

import { type Interceptor, log, type WorkflowAsk, workflowInfo } from "../../sdk/index.ts";

export interface LookingOn {
  readonly interceptor: Interceptor;
  /** What was asked for, each time that code asked, replays included: `step charge`. */
  readonly asked: string[];
  /** What was answered, such as `step charge: failed`. */
  readonly answered: string[];
}

export function lookingOn(): LookingOn {
  const asked: string[] = [];
  const answered: string[] = [];
  const look = (ask: WorkflowAsk): void => {
    const name = nameOf(ask);
    asked.push(name);
    log.info("asked", { name, at: Date.now(), events: workflowInfo().historyLength });
    if (!("answered" in ask)) return;
    ask.answered.then((answer) => {
      answered.push(`${name}: ${answer.isFailed ? "failed" : "completed"}`);
      log.info("answered", { name, at: Date.now() });
    });
  };
  const interceptor: Interceptor = {
    workflow: {
      ask(ask, next) {
        look(ask);
        return next();
      },
      askStep: (_, next) => next({}),
      askChild: (_, next) => next({}),
      askContinueAsNew: (_, next) => next(),
    },
  };
  return { interceptor, asked, answered };
}

export function nameOf(ask: WorkflowAsk): string {
  switch (ask.kind) {
    case "child":
    case "continueAsNew":
      return `${ask.kind} ${ask.workflow}`;
    case "cancel":
      return `cancel ${ask.reason}`;
    case "lock":
      return `lock ${ask.key}`;
    case "note":
      return `note ${ask.text}`;
    case "attributes":
    case "memo":
      return `${ask.kind} ${ask.names.join(", ")}`;
    default:
      return `${ask.kind} ${ask.name}`;
  }
}

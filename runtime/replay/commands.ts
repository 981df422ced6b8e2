// What the code of a run has asked for: what history has not answered yet, and what the driver has not seen yet. An event
// that is about a command is compared with what the code asked for under its number.

import { FewMap } from "../../sdk/workflow/few-map.ts";
import { type AnsweringEvent, AskedCommands } from "./asked-commands.ts";
import type { Change, CommandKind, PendingCommand, PendingStep } from "./pending.ts";
import type { Entry } from "./run-data.ts";

const NONE: readonly Change[] = [];

export class Commands {
  readonly asked: AskedCommands;
  readonly #pending = new FewMap<number, PendingCommand>();
  #changes: Change[] = [];

  constructor(workflowId: string, recordsCallSites: boolean) {
    this.asked = new AskedCommands(workflowId, recordsCallSites);
  }

  get arePending(): boolean {
    return this.#pending.size > 0;
  }

  /** Everything asked for and not answered, in the order of asking. */
  all(): IterableIterator<PendingCommand> {
    return this.#pending.values();
  }

  get(command: number): PendingCommand | undefined {
    return this.#pending.get(command);
  }

  add(pending: PendingCommand): void {
    this.#pending.set(pending.command, pending);
    // Mostly the only one of its turn: a list that grows by pushing has room for many from the first on.
    const asked: Change = { type: "asked", pending };
    if (this.#changes.length === 0) this.#changes = [asked];
    else this.#changes.push(asked);
  }

  withdraw(pending: PendingCommand): void {
    if (this.#pending.delete(pending.command)) this.#changes.push({ type: "withdrawn", pending });
  }

  requestCancel(pending: PendingStep): void {
    this.#changes.push({ type: "cancelRequested", pending });
  }

  enter(entry: Entry): void {
    this.#changes.push({ type: "entered", entry });
  }

  takeChanges(): readonly Change[] {
    if (this.#changes.length === 0) return NONE;
    const changes = this.#changes;
    this.#changes = [];
    return changes;
  }

  /** The pending command that the event is the last word about; undefined when the code has taken it back. */
  answered(event: AnsweringEvent, kind: CommandKind, inputHash?: string | null): PendingCommand | undefined {
    const pending = this.compared(event, kind, inputHash);
    if (pending !== undefined) this.#pending.delete(event.command);
    return pending;
  }

  /** The pending command of the event; throws DIVERGENCE unless the code asked for what history says. */
  compared(event: AnsweringEvent, kind: CommandKind, inputHash?: string | null): PendingCommand | undefined {
    this.asked.compare(event, kind);
    const { command, name } = event;
    const pending = this.#pending.get(command);
    if (pending !== undefined && "ask" in pending && inputHash !== undefined && inputHash !== pending.ask.inputHash) {
      const asked = `the code asked for ${kind}("${name}") with another input as command ${command}`;
      this.asked.diverge(event, asked, command);
    }
    return pending;
  }

  /** The code has ended: what it asked for last, to be done without it, is still done. */
  withdrawAll(): void {
    if (!this.arePending) return;
    for (const pending of this.#pending.values()) if (!outlivesRun(pending)) this.withdraw(pending);
  }
}

/**
 * What was asked for in the last turn, to be sent or started without this run, and has not been requested yet: that is done
 * before the run closes, as if the code had waited for it.
 */
function outlivesRun(pending: PendingCommand): boolean {
  if (pending.kind === "SendMessage") return !pending.isRequested;
  return pending.kind === "StartChild" && pending.childRunId === null && pending.ask.parentClosePolicy === "abandon";
}

// Every command the code ever asked for, by number: kind, name and, for a diagnosis, the place in the code. Events that
// come late, for commands long taken back, are compared as well.

import type { HistoryEvent } from "../../sdk/protocol/event.ts";
import { callSite, deepStack, describeEvent, divergenceError } from "./divergence.ts";
import type { CommandKind } from "./pending.ts";

export type AnsweringEvent = Extract<HistoryEvent, { command: number }>;

export class AskedCommands {
  readonly #workflowId: string;
  readonly #recordsCallSites: boolean;
  readonly #kinds: CommandKind[] = [];
  readonly #names: string[] = [];
  readonly #callSites: (string | undefined)[] = [];

  constructor(workflowId: string, recordsCallSites: boolean) {
    this.#workflowId = workflowId;
    this.#recordsCallSites = recordsCallSites;
  }

  /** Numbers the command, from 1. */
  add(kind: CommandKind, name: string): number {
    this.#kinds.push(kind);
    this.#names.push(name);
    if (this.#recordsCallSites) this.#callSites.push(callSite(deepStack()));
    return this.#kinds.length;
  }

  /** Throws DIVERGENCE unless the code asked for just this, under this number. */
  compare(event: AnsweringEvent, kind: CommandKind): void {
    const { command, name } = event;
    const askedKind = this.#kinds[command - 1];
    if (askedKind === undefined) {
      const count = this.#kinds.length;
      const asked = count === 0 ? "nothing" : `only ${count} command${count === 1 ? "" : "s"}`;
      this.diverge(event, `the code asked for ${asked} by then`);
    }
    const askedName = this.#names[command - 1];
    if (askedKind === kind && askedName === name) return;
    this.diverge(event, `the code asked for ${askedKind}("${askedName}") as command ${command}`, command);
  }

  /** `command`: the one whose place in the code says most; the last when absent. */
  diverge(event: HistoryEvent, asked: string, command?: number): never {
    const site = this.#callSites[(command ?? this.#callSites.length) - 1];
    throw divergenceError({ workflowId: this.#workflowId, event, recorded: describeEvent(event), asked, site });
  }

  /** How far the code got, for people. */
  describeLast(): string {
    const last = this.#names.length;
    if (last === 0) return "before its first command";
    const site = this.#callSites[last - 1];
    const where = site === undefined ? "" : ` (at ${site})`;
    return `after ${this.#kinds[last - 1]}("${this.#names[last - 1]}"), command ${last}${where}`;
  }
}

// Those who call entities: several processes, operations of all kinds on few keys, some calls made twice under one id, views in
// between, and now and then an end in the middle of it. When all is done each entity is ended.

import { entityHandle } from "../../sdk/client/entity-handle.ts";
import type { StartCall } from "../../sdk/client/front-door.ts";
import { isEverstepError } from "../../sdk/protocol/errors.ts";
import type { Caller } from "./caller.ts";
import type { Dice } from "./dice.ts";
import { type Entry, LEDGER, ledgerOf } from "./ledger.ts";
import type { Probes } from "./probes.ts";
import { NO_WORLD } from "./workflow-of.ts";

/** One call, and what it was told in the end: the answer, or the code of an error. */
export interface ToldOperation {
  readonly key: string;
  readonly id: string;
  readonly sentAt: number;
  readonly answeredAt: number;
  readonly told: readonly string[] | string;
}

export interface SeenView {
  readonly key: string;
  readonly entries: readonly string[];
}

export interface EntityCallersOptions {
  readonly callers: readonly [Caller, Caller];
  readonly dice: Dice;
  readonly probes: Probes;
  readonly now: () => number;
}

const BALLAST = "x".repeat(1_500_000);
const LEDGER_ENTITY = ledgerOf(NO_WORLD);

export class EntityCallers {
  readonly told: ToldOperation[] = [];
  readonly views: SeenView[] = [];
  /** Operations that fail by themselves. */
  readonly failing = new Set<string>();
  readonly #options: EntityCallersOptions;
  readonly #ending = new Set<string>();
  #operations = 0;

  constructor(options: EntityCallersOptions) {
    this.#options = options;
  }

  get isIdle(): boolean {
    return this.#options.callers.every((caller) => caller.isIdle);
  }

  begin(): void {
    const { dice } = this.#options;
    const isLong = dice.hits(0.25);
    const mayEnd = dice.hits(0.4);
    for (let keys = dice.int(1, 2); keys > 0; keys--) {
      for (let count = dice.int(3, 8); count > 0; count--) {
        const name = mayEnd && dice.hits(0.12) ? "end" : "record";
        const entry = this.#draw(isLong && dice.hits(0.7));
        for (let times = dice.hits(0.4) ? 2 : 1; times > 0; times--) this.#call(`k${keys}`, name, entry, 4_000);
        if (dice.hits(0.3)) this.#look(`k${keys}`);
      }
    }
  }

  /** Asked for as long as it is open: a call that was given up may begin it anew, late. */
  end(workflowId: string): void {
    const key = workflowId.slice(LEDGER.length + 1);
    if (this.#ending.has(key) || !this.isIdle) return;
    this.#ending.add(key);
    const id = `op-${++this.#operations}`;
    const entry = { id, steps: 0, stepMs: 0, sleepMs: 0, fails: false, ballast: "" };
    this.#call(key, "end", entry, 0, () => this.#ending.delete(key));
  }

  #draw(isLong: boolean): Entry {
    const { dice } = this.#options;
    const id = `op-${++this.#operations}`;
    const fails = dice.hits(0.15);
    if (fails) this.failing.add(id);
    return {
      id,
      steps: dice.int(0, 2),
      stepMs: dice.pick([0, 5, 150]),
      sleepMs: dice.hits(0.3) ? dice.int(1, 600) : 0,
      fails,
      ballast: isLong ? BALLAST : "",
    };
  }

  #call(key: string, name: "record" | "end", entry: Entry, withinMs: number, done = () => {}): void {
    const { dice, callers, now, probes } = this.#options;
    const caller = dice.pick(callers);
    const handle = this.#handle(caller, key);
    caller.task(async () => {
      await caller.sleep(withinMs, dice);
      const sentAt = now();
      let told: ToldOperation["told"] | undefined;
      while (told === undefined) {
        const options = { operationId: entry.id, timeout: dice.int(100, 20_000) };
        try {
          told = await caller.insist(() => handle[name](entry, options));
        } catch (error) {
          if (!isEverstepError(error)) throw error;
          if (error.code !== "UPDATE_TIMED_OUT") told = error.code;
        }
      }
      probes.hit(`operation: ${typeof told === "string" ? told : "answered"}`);
      this.told.push({ key, id: entry.id, sentAt, answeredAt: now(), told });
      done();
    });
  }

  #look(key: string): void {
    const { dice, callers, probes } = this.#options;
    const caller = dice.pick(callers);
    caller.task(async () => {
      await caller.sleep(4_500, dice);
      try {
        const entries = await caller.insist(() => this.#handle(caller, key).entries(undefined, { timeout: 5_000 }));
        this.views.push({ key, entries });
        probes.hit("view: answered");
      } catch (error) {
        if (!isEverstepError(error, "QUERY_TIMED_OUT")) throw error;
      }
    });
  }

  #handle({ service }: Caller, key: string) {
    const start: StartCall = {
      workflow: LEDGER,
      workflowId: LEDGER_ENTITY.workflowId(key),
      queue: LEDGER_ENTITY.queue,
      input: JSON.stringify({ key }),
      requestId: null,
      onConflict: "useExisting",
      onReuse: "allow",
      delayMs: 0,
      timeoutMs: null,
      signal: null,
      update: null,
    };
    return entityHandle(service, LEDGER_ENTITY, key, start);
  }
}

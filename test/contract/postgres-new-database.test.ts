// A plan is made once and kept, often in the first second of a database, while its tables are empty and nothing is known of
// them. It must be the plan that is right when they are full: by an index, never through all rows.

import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import type { ClaimedRun } from "../../runtime/store/claims.ts";
import type { Errand, StartErrand } from "../../runtime/store/errands.ts";
import { PLANS } from "../../runtime/store/postgres/connection.ts";
import { openPostgresStore } from "../../runtime/store/postgres/postgres-store.ts";
import type { Store } from "../../runtime/store/store.ts";
import { toRecord } from "../../sdk/protocol/event-record.ts";
import { createDatabase } from "../support/databases.ts";
import { RecordedLog } from "../support/recorded-log.ts";
import { continuingTurn } from "./store/continuing.ts";
import { importRequest } from "./store/importing.ts";
import { closingTurn, forkRequest, mailRequest, newId, newRunId, startRequest, turnOf } from "./store/stage.ts";

interface Plan {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Cond"?: string;
  readonly Plans?: readonly Plan[];
}

let store: Store;
let client: pg.Client;

beforeAll(async () => {
  const { url } = await createDatabase();
  store = openPostgresStore({ url }, { log: new RecordedLog() });
  client = new pg.Client({ connectionString: url, options: PLANS });
  await client.connect();
});

afterAll(async () => {
  await store.close();
  await client.end();
});

/** The tables that grow with the work; a heartbeat or a question lives for a short while. */
const GROWING = new Set(["run", "open_run", "event", "mail", "start_request", "run_data", "child", "errand"]);
/** They follow an index from its end and stop, or sweep up after closed runs once a minute. */
const IN_ORDER = new Set([
  "everstep_owner_ids",
  "everstep_list_desc_",
  "everstep_forget_heartbeats",
  "everstep_find_expired",
]);

test("what a store asks of a new database is planned for a full one", async () => {
  const statements = await statementsOf(everyCall);
  expect(statements.size).toBeGreaterThan(30);
  const complaints: string[] = [];
  for (const [name, { text, count }] of statements) {
    await client.query(`prepare planned as ${text}`);
    const nulls = Array.from({ length: count }, () => "null").join(", ");
    const { rows } = await client.query(`explain (format json) execute planned${count > 0 ? `(${nulls})` : ""}`);
    await client.query("deallocate planned");
    const scanned = relationsScanned(rows[0]["QUERY PLAN"][0].Plan).filter((scan) =>
      GROWING.has(scan.split(" ")[0] ?? ""),
    );
    if (scanned.length > 0 && !IN_ORDER.has(name)) complaints.push(`${name} reads all of ${scanned.join(", ")}`);
  }
  expect(complaints).toEqual([]);
});

/** Every named statement that `work` sends, by name. */
async function statementsOf(work: () => Promise<void>): Promise<Map<string, { text: string; count: number }>> {
  const seen = new Map<string, { text: string; count: number }>();
  const { query } = pg.Client.prototype;
  const spy = vi.spyOn(pg.Client.prototype, "query").mockImplementation(function (
    this: pg.Client,
    ...given: unknown[]
  ) {
    const [config] = given as [{ name?: string; text: string; values?: unknown[] }];
    if (config?.name !== undefined) seen.set(config.name, { text: config.text, count: config.values?.length ?? 0 });
    return (query as (...values: unknown[]) => unknown).apply(this, given) as never;
  });
  try {
    await work();
  } finally {
    spy.mockRestore();
  }
  return seen;
}

/** Each call of the port at least once, on its common ways. */
async function everyCall(): Promise<void> {
  const queue = newId("queue");
  const workerId = randomUUID();
  const claim = async (): Promise<ClaimedRun[]> => {
    const request = { workerId, claimId: randomUUID(), queues: [queue], limit: 10, suspects: "exclude" } as const;
    return [...(await store.claimRuns(request)).claimed];
  };
  const workflowId = newId("order");
  await store.startRuns([startRequest({ queue })]);
  await store.startRuns([startRequest({ queue, workflowId }), startRequest({ queue })]);
  await store.startRuns([startRequest({ queue, workflowId, onConflict: "useExisting", requestId: newId("request") })]);
  await store.startRuns([startRequest({ queue, onReuse: "reject", requestId: newId("request") })]);
  const [first, second, third, fourth] = (await claim()) as [ClaimedRun, ClaimedRun, ClaimedRun, ClaimedRun];
  await store.loadHistories([first.runId]);
  await store.appendTurns([turnOf(first)]);
  await store.appendTurns([turnOf(second), turnOf(third)]);
  await store.resolveTurns([turnOf(second)]);
  await store.confirm(workerId);
  await store.sendMail([mailRequest({ to: { workflowId } }), mailRequest({ to: { runId: first.runId } })]);
  await store.readMail([{ runId: first.runId, after: 0 }], 10);
  await store.runsWithMail(workerId);
  await store.parkRuns([{ claim: second, events: 2, takenMail: 0, wakeAt: null, timer: null }]);
  await store.claimsOf(workerId);
  await store.releaseRuns([first]);
  await store.blockRuns([{ claim: third, reason: { kind: "divergence", message: "event 2 is a step" } }]);
  const beat = { claim: fourth, command: 1, attempt: 1, details: null, isProgress: true };
  await store.saveHeartbeats([beat]);
  await store.appendTurns([closingTurn(fourth, "completed")]);
  await store.claimBlocked(workerId, randomUUID(), [third.runId]);
  await store.findBlocked({ workflows: ["order"], queues: [queue], after: null, limit: 10 });
  await store.ownerIds();
  await store.rescueRuns(workerId, 10);
  await store.closeOverdue(10);
  await store.forgetLeftovers();
  await store.controlRun({ runId: first.runId, kind: "pause", mailId: "p", reason: "later" });
  await store.controlRun({ runId: first.runId, kind: "resume", mailId: "r", reason: "" });
  await store.forkRun(forkRequest(first, { terminates: null }));
  await store.forkRun(forkRequest(first, { workflowId: first.workflowId, terminates: "again" }));
  await store.terminateRun(first.runId, "enough");
  await store.terminateRun(newRunId(), "enough");
  await store.findRun({ workflowId });
  await store.listRuns({ limit: 10 });
  await store.readHistory(first.runId, 0, 10);
  await store.readOutcomes([first.runId]);
  await store.readUpdates([{ runId: first.runId, mailId: "update:u", after: 0 }]);
  await otherRuns(queue, claim);
  const rules = [{ workflow: null, retentionMs: 1 }];
  await store.findExpired({ rules, after: null, limit: 10 });
  await store.deleteRuns([fourth.runId]);
  await store.readStepEvents(first.runId, { name: "approve" });
  await store.importRun(importRequest());
  const here = importRequest({ workflowId });
  await store.importRun(here);
  await store.importRun({ ...here, runId: newRunId(), tag: randomUUID() });
  await store.readEventsOfType([first.runId], 36, 10);
  await store.missingRuns([first.runId]);
  const queryId = randomUUID();
  await store.askQuery({ queryId, runId: first.runId, queue, name: "status", input: null });
  await store.takeQueries(workerId, [queue], 10);
  await store.answerQueries([{ queryId, answer: { ok: true, payload: null } }]);
  await store.takeAnswer(queryId);
}

/** Children, mail between runs, and runs that continue as new. */
async function otherRuns(queue: string, claim: () => Promise<ClaimedRun[]>): Promise<void> {
  const parents = [startRequest({ queue }), startRequest({ queue }), startRequest({ queue })];
  await store.startRuns(parents);
  const [one, two, three] = (await claim()) as [ClaimedRun, ClaimedRun, ClaimedRun];
  const asker = { runId: one.runId, command: 1, name: "order" };
  const child = (onReuse: "allow" | "reject"): Errand => {
    const { runId, workflowId, workflow, started } = startRequest();
    const made = { runId, workflowId, workflow, queue, started, carriesData: false, onReuse, timeoutMs: null };
    return { do: "start", asker, child: made, policy: "terminate" };
  };
  const { to: _to, ...mail } = mailRequest({ to: { runId: two.runId } });
  const mails = [{ workflowId: two.workflowId }, { chainOf: two.runId }].map((to): Errand => {
    return { do: "mail", to, mail: { ...mail, mailId: newId("mail") }, asker };
  });
  const effects = { errands: [child("allow"), child("reject"), ...mails], successor: null };
  await store.appendWithEffects([turnOf(one, { effects })]);
  await store.runErrands(10);
  await store.appendWithEffects([continuingTurn(two)]);
  const started = toRecord({ type: "RunStarted", workflow: "order", input: null, seed: "s", attributes: "{}" });
  await store.appendWithEffects([continuingTurn(three, { started, carriesData: true })]);
  // Its children are terminated with it, or passed on and asked for again.
  const kept = child("allow") as StartErrand;
  await store.appendWithEffects([turnOf(one, { base: 2, effects: { errands: [kept], successor: null } })]);
  await store.runErrands(10);
  const fork = forkRequest(one, {
    workflowId: one.workflowId,
    terminates: "again",
    children: [{ command: 1, runId: kept.child.runId, isStarted: true }],
  });
  await store.forkRun(fork);
  const again: Errand = {
    ...kept,
    asker: { ...asker, runId: fork.runId },
    again: { isStarted: true, isBeside: false },
  };
  const claimed = (await claim()).find(({ runId }) => runId === fork.runId) as ClaimedRun;
  await store.appendWithEffects([turnOf(claimed, { effects: { errands: [again], successor: null } })]);
  await store.runErrands(10);
  await store.findRun({ lineOf: one.runId });
  await store.terminateRun(fork.runId, "enough");
  await store.runErrands(10);
  await store.sendMail([mailRequest({ to: { chainOf: two.runId } })]);
  await store.findRun({ chainOf: two.runId });
}

function relationsScanned(plan: Plan): string[] {
  const relation = plan["Relation Name"];
  const isWhole = /^(Seq|Index|Index Only) Scan$/.test(plan["Node Type"]) && plan["Index Cond"] === undefined;
  const own = isWhole && relation !== undefined ? [`${relation} (${plan["Node Type"]})`] : [];
  return [...own, ...(plan.Plans ?? []).flatMap(relationsScanned)];
}

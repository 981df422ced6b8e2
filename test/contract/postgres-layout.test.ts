// What the tables cost: appends that are heap-only updates, and statements whose plans do not feel how much history
// there is.

import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { fillClaimable } from "../../bench/growth/filling.ts";
import { type ClaimedRun, QUARANTINE_AFTER_CRASHES, SUSPECT_FROM_CRASHES } from "../../runtime/store/claims.ts";
import { APPEND, appendValues } from "../../runtime/store/postgres/appending.ts";
import { CLAIM } from "../../runtime/store/postgres/claiming.ts";
import { listStatement } from "../../runtime/store/postgres/listing.ts";
import { migrate } from "../../runtime/store/postgres/migrate.ts";
import { openPostgresStore } from "../../runtime/store/postgres/postgres-store.ts";
import { READ_EVENTS_OF_TYPE } from "../../runtime/store/postgres/reading.ts";
import { changeValues, startDataValues } from "../../runtime/store/postgres/run-data.ts";
import { runIdOf } from "../../runtime/store/postgres/run-id.ts";
import type { Store } from "../../runtime/store/store.ts";
import { attributeConditions } from "../../sdk/protocol/attribute-filter.ts";
import { EVENT_CODES } from "../../sdk/protocol/event.ts";
import { createDatabase } from "../support/databases.ts";
import { eventually } from "../support/eventually.ts";
import { startPrivatePostgres } from "../support/private-postgres.ts";
import { RecordedLog } from "../support/recorded-log.ts";
import { newId, newRunId, Stage, startRequest, turnOf } from "./store/stage.ts";

interface Plan {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Actual Rows"?: number;
  "CTE Name"?: string;
  readonly "Shared Hit Blocks"?: number;
  readonly "Shared Read Blocks"?: number;
  readonly Plans?: readonly Plan[];
}

describe("the tables", () => {
  const stage = new Stage();
  let store: Store;
  let client: pg.Client;

  beforeAll(async () => {
    const database = await createDatabase();
    store = openPostgresStore({ url: database.url }, { log: new RecordedLog() });
    await stage.open(Promise.resolve({ store, close: () => store.close() }));
    client = new pg.Client({ connectionString: database.url });
    await client.connect();
  });

  afterAll(async () => {
    await stage.close();
    await client.end();
  });

  /** The plan made for these values, and the one that a prepared statement keeps for all values. */
  const explain = async (
    text: string,
    values: unknown[],
    plan: "custom" | "generic" = "custom",
    on = client,
  ): Promise<Plan[]> => {
    await on.query("begin");
    await on.query(`set local plan_cache_mode = force_${plan}_plan`);
    await on.query(`prepare explained as ${text}`);
    const literals = values.map((value) => (value === null ? "null" : pg.escapeLiteral(literalOf(value))));
    const { rows } = await on.query(
      `explain (analyze, buffers, format json) execute explained(${literals.join(", ")})`,
    );
    await on.query("rollback");
    await on.query("deallocate explained");
    return nodesOf(rows[0]["QUERY PLAN"][0].Plan);
  };

  test("an append is one event row each and a heap-only update of the head", async () => {
    // Whoever looks at the database meanwhile, as autovacuum does, keeps versions alive and pages full.
    const server = await startPrivatePostgres({ settings: { autovacuum: "off" } });
    onTestFinished(() => server.remove());
    const database = await createDatabase({ serverUrl: server.url });
    const fresh = openPostgresStore({ url: database.url }, { log: new RecordedLog() });
    const counter = new pg.Client({ connectionString: database.url });
    await counter.connect();
    const queue = newId("queue");
    await fresh.startRuns(Array.from({ length: 40 }, () => startRequest({ queue })));
    const request = {
      workerId: randomUUID(),
      claimId: randomUUID(),
      queues: [queue],
      limit: 40,
      suspects: "exclude",
    } as const;
    const { claimed } = await fresh.claimRuns(request);
    for (let round = 0; round < 10; round += 1) {
      const turns = claimed.map((run) => turnOf(run, { base: 1 + round }));
      expect((await fresh.appendTurns(turns)).committed.size).toBe(40);
    }
    await fresh.close(); // a connection reports what it has counted when it ends, at the latest
    await eventually(
      "the counts of 40 claims and 400 appends are in",
      async () => (await counts(counter)).updates >= 440,
    );
    const { events, updates, hot } = await counts(counter);
    await counter.end();
    expect({ events, updates }).toEqual({ events: 440, updates: 440 });
    // A claim changes what indexes hold, so it is none; the first round may find pages that the claims have filled.
    expect(hot).toBeGreaterThan(0.9 * 400);
    expect(hot).toBeLessThanOrEqual(400);
  });

  test("the schema and the code agree on what a suspect is", async () => {
    const { queue, runId } = await stage.crashed(SUSPECT_FROM_CRASHES - 1);
    expect((await stage.claimOne(queue)).crashCount).toBe(SUSPECT_FROM_CRASHES);
    const { rows } = await client.query("select run_id from everstep.open_run where is_suspect");
    expect(rows.map(({ run_id }) => runIdOf(run_id))).toContain(runId);
  });

  test.each(["custom", "generic"] as const)(
    "with much history and many parked runs a claim reads only what it takes: %s plan",
    async (plan) => {
      await fill(client);
      const values = [["busy"], false, 20, randomUUID(), randomUUID(), QUARANTINE_AFTER_CRASHES];
      const nodes = await explain(CLAIM.text, values, plan);
      expect(sequential(nodes)).toEqual([]);
      const scans = nodes.filter((node) => node["Index Name"] === "open_run_due");
      expect(scans.length).toBeGreaterThan(0);
      for (const scan of scans) expect(scan["Actual Rows"]).toBeLessThanOrEqual(21);
      const [top] = nodes;
      expect((top?.["Shared Hit Blocks"] ?? 0) + (top?.["Shared Read Blocks"] ?? 0)).toBeLessThan(1_500);
    },
  );

  test.each(["custom", "generic"] as const)(
    "where all runs are claimable and few, a claim reads only those that it takes: %s plan",
    async (plan) => {
      const { url } = await createDatabase();
      await migrate({ url });
      await fillClaimable(url, "busy", 3_000);
      const other = new pg.Client({ connectionString: url });
      onTestFinished(() => other.end());
      await other.connect();
      // As the store sets it: see `PLANS`.
      await other.query("set enable_seqscan = off");
      const values = [["busy"], false, 20, randomUUID(), randomUUID(), QUARANTINE_AFTER_CRASHES];
      const nodes = await explain(CLAIM.text, values, plan, other);
      const read = nodes.filter((node) => node["Relation Name"] !== undefined).map((node) => node["Actual Rows"] ?? 0);
      expect(read.length).toBeGreaterThan(0);
      expect(Math.max(...read)).toBeLessThanOrEqual(21);
    },
  );

  test.each(["custom", "generic"] as const)("an append finds its runs by their ids: %s plan", async (plan) => {
    await fill(client);
    const claimId = randomUUID();
    const { rows } = await client.query<{ run_id: string; epoch: string }>(
      "update everstep.open_run set claim_id = $1, worker_id = $1 where workflow_id in ('open-7', 'open-77') returning run_id, epoch",
      [claimId],
    );
    const claims = rows.map(({ run_id, epoch }) => ({ runId: runIdOf(run_id), epoch: Number(epoch), claimId }));
    const turns = claims.map((claim) => turnOf({ ...claim, events: 1, takenMail: 0 } as ClaimedRun));
    const nodes = await explain(APPEND.text, appendValues(turns), plan);
    expect(sequential(nodes)).toEqual([]);
    expect(nodes.some((node) => node["CTE Name"] === "ok" && node["Actual Rows"] === 2)).toBe(true);
  });

  test.each(["custom", "generic"] as const)(
    "events of a type are found by the ids of their runs: %s plan",
    async (plan) => {
      await fill(client);
      const { rows } = await client.query<{ run_id: string }>("select run_id from everstep.open_run limit 3");
      const ids = rows.map(({ run_id }) => run_id);
      const nodes = await explain(READ_EVENTS_OF_TYPE.text, [ids, EVENT_CODES.PatchMarked, null], plan);
      expect(sequential(nodes)).toEqual([]);
    },
  );

  test.each(["custom", "generic"] as const)("a list by attributes goes along their index: %s plan", async (plan) => {
    await fill(client);
    await client.query(`
      insert into everstep.run_data (run_id, kind, name, place, type, number, text)
      select run_id, 1, a.name, 0, a.type, a.number, a.text from everstep.run r cross join lateral (values
        ('customer', 1, float8 'infinity', r.workflow_id), ('amount', 4, random() * 1000, '')) a(name, type, number, text)
      on conflict do nothing`);
    await client.query("analyze everstep.run_data");
    const one = listStatement({ limit: 50, attributes: attributeConditions({ customer: "closed-77" }) }, undefined);
    const named = await explain(one.statement.text, one.values, plan);
    const byAttribute = { name: "amount", isDescending: true, after: null };
    const sorted = listStatement({ limit: 50, byAttribute }, undefined);
    const highest = await explain(sorted.statement.text, sorted.values, plan);
    for (const nodes of [named, highest]) {
      expect(sequential(nodes)).toEqual([]);
      expect(nodes.some((node) => node["Index Name"] === "run_data_attribute")).toBe(true);
      const [top] = nodes;
      expect((top?.["Shared Hit Blocks"] ?? 0) + (top?.["Shared Read Blocks"] ?? 0)).toBeLessThan(1_500);
    }
  });

  test("a turn that changes no data is sent without any of it", () => {
    const claim = { runId: newRunId(), epoch: 1, claimId: randomUUID(), events: 1, takenMail: 0 } as ClaimedRun;
    expect(APPEND.text).not.toContain("run_data");
    expect(changeValues([turnOf(claim)])).toBeNull();
    expect(startDataValues([startRequest()])).toBeNull();
  });

  test("lists by status of open runs, and by workflow id, do not go through the history", async () => {
    await fill(client);
    const open = listStatement({ status: ["blocked"], limit: 50 }, undefined);
    expect(sequential(await explain(open.statement.text, open.values))).toEqual([]);
    const named = listStatement({ workflowId: "closed-77", limit: 50 }, undefined);
    expect(sequential(await explain(named.statement.text, named.values))).toEqual([]);
    const page = listStatement({ limit: 50 }, "0198ffff-ffff-7000-8000-000000000000");
    expect(sequential(await explain(page.statement.text, page.values))).toEqual([]);
  });
});

function literalOf(value: unknown): string {
  return Array.isArray(value) ? `{${value.join(",")}}` : String(value);
}

function nodesOf(plan: Plan): Plan[] {
  return [plan, ...(plan.Plans ?? []).flatMap(nodesOf)];
}

function sequential(nodes: readonly Plan[]): (string | undefined)[] {
  return nodes.filter((node) => node["Node Type"] === "Seq Scan").map((node) => node["Relation Name"]);
}

async function counts(client: pg.Client): Promise<{ updates: number; hot: number; events: number }> {
  const { rows } = await client.query(`
    select n_tup_upd::int as updates, n_tup_hot_upd::int as hot, (select count(*)::int from everstep.event) as events
    from pg_stat_user_tables where relid = 'everstep.open_run'::regclass`);
  return rows[0];
}

/** 100,000 closed runs, 20,000 parked ones and 2,000 due. */
async function fill(client: pg.Client): Promise<void> {
  await client.query(`
    insert into everstep.run (run_id, workflow_id, workflow, queue, status, started_at, closed_at)
    select ('01980000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'closed-' || n, 'order', 'busy', 10, now(), now()
    from generate_series(1, 100000) n on conflict do nothing`);
  await client.query(`
    with open as (
      insert into everstep.open_run (run_id, workflow_id, queue, events, wake_at)
      select ('01990000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'open-' || n, 'busy', 1,
        case when n <= 20000 then 'infinity' else now() - n * interval '1 ms' end
      from generate_series(1, 22000) n on conflict do nothing returning *)
    insert into everstep.run (run_id, workflow_id, workflow, queue, status, started_at)
    select run_id, workflow_id, 'order', queue, 1, now() from open`);
  await client.query("analyze everstep.run");
  await client.query("analyze everstep.open_run");
}

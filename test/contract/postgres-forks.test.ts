// What only a database with transactions at once can show of forks: what comes and goes between two statements of one.

import { expect, test } from "vitest";
import { uuidOf } from "../../runtime/store/postgres/run-id.ts";
import { eventually } from "../support/eventually.ts";
import { openPostgresStage } from "./store/postgres-stage.ts";
import { forkRequest } from "./store/stage.ts";

/** The next head that is put in meets another one, of which nothing is left when the statement after that looks. */
const MEETS_ONE_THAT_GOES = `
  create sequence everstep.heads_put_in;
  create function everstep.skip_first() returns trigger language plpgsql as $$ begin
    if nextval('everstep.heads_put_in') > 1 then return new; end if;
    return null;
  end $$;
  create trigger skip_first before insert on everstep.open_run for each row execute function everstep.skip_first()`;

test.each([null, "again"])(
  "a fork that meets a run which ends meanwhile is made: terminates %s",
  async (terminates) => {
    const { stage, other } = await openPostgresStage();
    const source = await stage.closed("failed");
    await other.query(MEETS_ONE_THAT_GOES);
    const request = forkRequest(source, { terminates });
    expect(await stage.store.forkRun(request)).toEqual({ outcome: "forked", runId: request.runId });
  },
);

const WAITING = `
  select from pg_locks where not granted and relation = 'everstep.open_run'::regclass
    and database = (select oid from pg_database where datname = current_database())`;

test("a fork whose source is deleted when it has looked for it finds no source", async () => {
  const { stage, other } = await openPostgresStage();
  const source = await stage.closed("failed");
  const request = forkRequest(source);
  await other.query("begin");
  // The fork has looked, and waits to put its head in.
  await other.query("lock table everstep.open_run in share row exclusive mode");
  const forking = stage.store.forkRun(request);
  await eventually("the fork waits", async () => (await other.query(WAITING)).rows.length > 0);
  await other.query("delete from everstep.run where run_id = $1", [uuidOf(source.runId)]);
  await other.query("commit");
  expect(await forking).toEqual({ outcome: "notFound", runId: source.runId });
});

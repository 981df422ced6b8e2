// A rolling deploy as it is done: processes with the old release and the new one side by side on one database, some of
// them killed, and what the command line says of it.

import { expect, test } from "vitest";
import { everstep } from "../support/command-line.ts";
import { eventually } from "../support/eventually.ts";
import { setStage } from "../support/stage.ts";
import { go, release } from "./workers/releases.ts";

const one = release("1.0.0");
const RUNS = 30;
const ids = (prefix: string) => Array.from({ length: RUNS }, (_, n) => ({ id: `${prefix}-${n}` }));
const code = (name: string) => new URL(`./workers/releases-${name}.ts`, import.meta.url).pathname;

test("old and new workers side by side, killed and stopped: each run ends with the code it began with, or was moved to", async () => {
  const { client, worker, ask } = await setStage();
  const doomed = await worker("releases-one.ts");
  const old = await worker("releases-one.ts");
  const before = await client.startMany(one, ids("before"));
  const eventsOf = async (prefix: string) => {
    const [row] = await ask<{ n: string }>(
      "select count(*) as n from everstep.event e join everstep.run r using (run_id) where r.workflow_id like $1 || '-%'",
      [prefix],
    );
    return Number(row?.n);
  };
  await eventually("the first runs wait", async () => (await eventsOf("before")) === 2 * RUNS);

  await worker("releases-two.ts");
  await client.setVersionPolicy("release", { current: "2.0.0" });
  const after = await client.startMany(one, ids("after"));
  await doomed.kill();
  await Promise.all([...before.slice(0, 10), ...after].map((run) => run.signal(go)));
  expect(new Set((await Promise.all(after.map((run) => run.result()))).flat())).toEqual(new Set(["2.0.0"]));
  expect(new Set((await Promise.all(before.slice(0, 10).map((run) => run.result()))).flat())).toEqual(
    new Set(["1.0.0"]),
  );

  await old.stop();
  // Nobody has the code of these now: they wait, and are not claimed.
  const left = before.slice(10);
  await Promise.all(left.map((run) => run.signal(go)));
  await Promise.all(left.slice(0, 10).map((run) => run.moveTo("2.0.0")));
  const moved = await Promise.all(left.slice(0, 10).map((run) => run.result()));
  expect(moved).toEqual(moved.map(() => ["1.0.0", "2.0.0"]));
  const waiting = await ask<{ blocked: string | null; crash_count: number; due: boolean }>(
    "select blocked, crash_count, wake_at <= now() as due from everstep.open_run",
  );
  expect(waiting).toEqual(waiting.map(() => ({ blocked: null, crash_count: 0, due: true })));
  expect(waiting).toHaveLength(RUNS - 20);

  await worker("releases-both.ts");
  const last = await Promise.all(left.slice(10).map((run) => run.result()));
  expect(last).toEqual(last.map(() => ["1.0.0", "1.0.0"]));
  const { versions } = await client.versions("release");
  expect(
    versions.map(({ version, openRuns, isDrained, isCurrent }) => [version, openRuns, isDrained, isCurrent]),
  ).toEqual([
    ["2.0.0", 0, false, true],
    ["1.0.0", 0, true, false],
  ]);
});

async function setLine() {
  const { worker, databaseUrl } = await setStage();
  await worker("releases-both.ts");
  const run = (args: readonly string[]) => everstep(args, { env: { DATABASE_URL: databaseUrl } });
  return {
    run,
    say: async (...args: string[]) => {
      const { stdout, stderr, code: exit } = await run(args);
      expect({ stderr, exit }).toEqual({ stderr: "", exit: 0 });
      return stdout.trimEnd();
    },
    refuse: async (...args: string[]) => {
      const { stderr, code: exit } = await run(args);
      expect(exit).toBe(1);
      return stderr.trimEnd();
    },
  };
}

test("versions are shown, and new runs get them, from the command line", async () => {
  const { say, refuse } = await setLine();
  expect(await say("versions", "release", "--current", "2.0.0", "--ramp", "1.0.0=25")).toMatch(
    /^VERSION {2}NEW RUNS {2}OPEN {2}SERVED\n2\.0\.0 {4}current {3}0 {5}now\n1\.0\.0 {4}25 % {6}0 {5}now$/,
  );
  await say("versions", "release", "--current", "2.0.0", "--actor", "ann");
  expect(await say("versions", "release", "--history")).toMatch(
    /^AT +BY {3}FROM +TO\n\S+ \S+ {2}ann {2}2\.0\.0, 25 % 1\.0\.0 {2}2\.0\.0\n\S+ \S+ {2}- {4}none +2\.0\.0, 25 % 1\.0\.0$/,
  );
  await say("start", "release", "--id", "by-policy");
  await say("start", "release", "--id", "by-range", "--version", "^1.0");
  expect(await say("list", "--version", "1.0.0")).toMatch(/release 1\.0\.0 .* by-range$/m);
  expect(await say("count", "--by", "version")).toMatch(/^RUNS {2}VERSION\n1 {5}1\.0\.0\n1 {5}2\.0\.0$/);
  expect(await refuse("start", "release", "--version", "7.0.0")).toMatch(
    /^VERSION_UNKNOWN: .*known are 1\.0\.0, 2\.0\.0/,
  );
  expect(await refuse("versions", "release", "--ramp", "2.0.0=5")).toMatch(/^ARGUMENT_INVALID: --ramp needs --current/);
});

test("runs are moved and checked by version from the command line", async () => {
  const { run, say } = await setLine();
  await say("start", "release", "--id", "taxi", "--version", "1.0.0");
  expect(await say("move", "taxi", "2.0.0")).toBe("taxi goes on with 2.0.0.");
  await eventually("the move is in the history", async () => {
    return (await say("history", "taxi")).includes("to version 2.0.0");
  });
  expect(await say("describe", "taxi")).toMatch(/^version +2\.0\.0$/m);
  expect(await say("check", code("two"))).toBe("1 history checked (release): 1 fit, 0 differ.");
  await say("move", "taxi", "1.0.0");
  expect(await run(["check", code("two")])).toEqual({
    stdout: [
      "release 1.0.0: 1 history needs this code, which the files do not export (taxi).\n",
      "0 histories checked (release): 0 fit, 0 differ. 1 of code that is not there.\n",
    ].join("\n"),
    stderr: "",
    code: 1,
  });
  expect(await say("check", code("two"), "--allow-missing-versions")).toContain("0 fit, 0 differ");
});

// Runs, from the command line: a worker for files, and what one can start, see and say.

import { once } from "node:events";
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { expense } from "../../examples/approval/workflow.ts";
import { replayHistory } from "../../runtime/testing/index.ts";
import { everstep, startEverstep } from "../support/command-line.ts";
import { createDatabase } from "../support/databases.ts";
import { eventually } from "../support/eventually.ts";

const example = (name: string) => fileURLToPath(new URL(`../../examples/${name}/workflow.ts`, import.meta.url));

let database: string;
let worker: ReturnType<typeof startEverstep>;

beforeAll(async () => {
  ({ url: database } = await createDatabase());
  worker = startEverstep([
    "worker",
    example("hello"),
    example("approval"),
    example("basket"),
    example("sign-off"),
    fileURLToPath(new URL("./workers/locks.ts", import.meta.url)),
    fileURLToPath(new URL("./workers/stubborn.ts", import.meta.url)),
    "--database",
    database,
  ]);
});

afterAll(async () => {
  worker.stderr.resume();
  const output = text(worker.stdout);
  worker.kill("SIGTERM");
  expect(await once(worker, "exit")).toEqual([0, null]);
  expect(await output).toContain("worker stopped");
});

/** Runs a command on the file's database; fails the test unless it went well. */
async function say(...args: string[]): Promise<string> {
  const { stdout, stderr, code } = await everstep(args, { env: { DATABASE_URL: database } });
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  return stdout.trimEnd();
}

async function refuse(...args: string[]): Promise<string> {
  const { stdout, stderr, code } = await everstep(args, { env: { DATABASE_URL: database } });
  expect({ stdout, code, lines: stderr.trimEnd().split("\n").length }).toEqual({ stdout: "", code: 1, lines: 1 });
  return stderr.trimEnd();
}

test("a run is started, ends, and tells its result and its history", async () => {
  expect(await say("start", "hello", "--id", "greeting", "--input", '{"name":"Ann"}')).toMatch(
    /^Started hello: greeting \(run [0-9A-Z]{26}\)$/,
  );
  expect(await say("result", "greeting")).toBe('"Hello, Ann! Goodbye, Ann."');

  const table = (await say("history", "greeting")).split("\n");
  expect(table[0]).toMatch(/^SEQ {2}AT {20}EVENT {10}WHAT$/);
  expect(table.slice(1).map((line) => line.split(/ {2,}/).slice(2).join(": "))).toEqual([
    'RunStarted: hello {"name":"Ann"}',
    'StepCompleted: greet -> "Hello, Ann!"',
    "TimerStarted: sleep, after 1000 ms",
    "TimerFired: sleep",
    'StepCompleted: take leave -> "Goodbye, Ann."',
    'RunCompleted: "Hello, Ann! Goodbye, Ann."',
  ]);
  const events = (await say("history", "greeting", "--json")).split("\n").map((line) => JSON.parse(line));
  expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
  expect(events[0]).toMatchObject({ type: "RunStarted", workflow: "hello", input: '{"name":"Ann"}' });
});

test("locks say who holds and who waits", async () => {
  expect(await say("locks")).toBe("STATE  SINCE  PERMITS  TOKEN  RUN  ID  KEY");
  for (const name of ["one", "two"]) await say("start", "held", "--id", `held-${name}`);
  const states = async () =>
    (JSON.parse(await say("locks", "--key", "desk", "--json")) as { workflowId: string; fencingToken: number | null }[])
      .map(({ workflowId, fencingToken }) => `${workflowId} ${fencingToken === null ? "waits" : "holds"}`)
      .sort();
  await eventually("both are in the queue", async () => (await states()).length === 2);
  const [holder] = (await states())
    .filter((state) => state.endsWith("holds"))
    .map((state) => state.split(" ")[0] ?? "");
  const table = (await say("locks")).split("\n");
  expect(table[1]).toMatch(new RegExp(`^holds  .* 1/1  +\\d+  +[0-9A-Z]{26}  ${holder}  +desk$`));
  expect(table[2]).toMatch(/^waits {2}.* 1\/1 +- +[0-9A-Z]{26} {2}held-(one|two) +desk$/);
  expect(await say("describe", holder ?? "")).toMatch(/^holds +desk$/m);
  expect(await say("history", holder ?? "")).toMatch(/LockGranted +desk, fencing token \d+$/m);
  for (const name of ["one", "two"]) await say("terminate", `held-${name}`);
  expect(await refuse("locks", "--limit", "201")).toContain("ARGUMENT_INVALID");
});

test("a waiting run says what it waits for, takes a signal, and goes on", async () => {
  const { workflowId, runId } = JSON.parse(
    await say("start", "expense", "--id", "train", "--input", '{"by":"Bob","amount":3}', "--json"),
  );
  expect(workflowId).toBe("train");
  await eventually("it waits", async () => {
    const { pending, runId: described } = JSON.parse(await say("describe", "train", "--json"));
    expect({ signals: pending?.signals, described }).toEqual({ signals: ["decide"], described: runId });
    return true;
  });
  const described = await say("describe", "train");
  expect(described).toMatch(/^status {5}running$/m);
  expect(described).toMatch(/^waits for {2}decide$/m);
  expect(described).toMatch(/^\d+ +receive decide {2}\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ$/m);

  const decision = ["--input", '{"approver":"Ann","isApproved":true}', "--signal-id", "once"];
  expect(await say("signal", "train", "decide", ...decision)).toBe("Signal decide is stored for train.");
  expect(JSON.parse(await say("result", "train", "--json"))).toEqual({
    outcome: "paid",
    approver: "Ann",
    payment: "3 to Bob",
  });
});

test("a run is started with a limit for its chain, which its forks have as well", async () => {
  await say("start", "basket", "--id", "tram", "--chain-timeout", "2 hours");
  await say("fork", "tram", "--new-id", "night tram", "--at", "1");
  for (const id of ["tram", "night tram"]) {
    const { startedAt, deadlineAt } = JSON.parse(await say("describe", id, "--json"));
    expect(Math.round((deadlineAt - startedAt) / 60_000)).toBe(120);
    await say("terminate", id);
  }
  expect(await refuse("start", "basket", "--chain-timeout", "0s")).toContain("must be longer than 0");
});

test("a run is paused, resumed, reset and forked by commands", async () => {
  await say("start", "basket", "--id", "taxi");
  expect(await say("pause", "taxi", "--reason", "holidays")).toBe("taxi is paused.");
  expect(await say("describe", "taxi")).toMatch(/^paused {5}.*: holidays$/m);
  expect(await say("resume", "taxi")).toBe("taxi goes on.");
  expect(await say("unblock", "taxi")).toBe("taxi may be claimed again.");
  expect(await say("reset", "taxi", "--at", "1")).toMatch(/^Reset taxi \(run \w{26}\)$/);
  expect(await refuse("retry", "taxi", "--step", "nothing")).toMatch(/^ARGUMENT_INVALID: /);
  const fork = JSON.parse(await say("fork", "taxi", "--new-id", "bus", "--at", "1", "--json"));
  expect(await say("history", "bus")).toContain("RunForked");
  expect(JSON.parse(await say("describe", "bus", "--json"))).toMatchObject({ ...fork, forkedFrom: { event: 1 } });
  for (const id of ["taxi", "bus"]) await say("terminate", id);
});

test("who acts is named by an option or a variable, and shown by history and describe", async () => {
  await say("start", "approval", "--id", "audited", "--input", '{"by":"Ann","amount":5}');
  await say("pause", "audited", "--actor", "ann", "--reason", "lunch");
  expect(await say("describe", "audited")).toMatch(/^paused +\S+ \S+ by ann: lunch$/m);
  const env = { DATABASE_URL: database, EVERSTEP_ACTOR: "night shift" };
  expect((await everstep(["resume", "audited"], { env })).code).toBe(0);
  expect((await everstep(["terminate", "audited", "--actor", "boss"], { env })).code).toBe(0);
  const told = await say("history", "audited");
  expect(told).toMatch(/RunTerminated +terminated from the command line \(by boss\)$/m);
  const other = { DATABASE_URL: database, EVERSTEP_ACTOR: "" };
  await say("start", "approval", "--id", "not audited", "--input", '{"by":"Ann","amount":5}');
  expect((await everstep(["terminate", "not audited"], { env: other })).code).toBe(0);
  expect(await say("history", "not audited")).toMatch(/RunTerminated +terminated from the command line$/m);
});

test("a failed step is retried now and a sleep is skipped, by number, by name, and once per request", async () => {
  await say("start", "stubborn", "--id", "one");
  await eventually("it waits", async () =>
    /^1 +charge: charge the card {2}2 .*the provider is down$/m.test(await say("describe", "one")),
  );
  expect(await refuse("skip-sleep", "one")).toMatch(/^TIMER_NOT_WAITING: No timer of run one waits/);
  expect(await say("retry-now", "one", "--request-id", "r")).toBe(
    "What waits to be tried again of one is to be tried now.",
  );
  expect(await say("retry-now", "one", "charge", "--request-id", "r", "--json")).toBe(
    '{"workflowId":"one","step":"charge"}',
  );
  await eventually("it sleeps", async () =>
    /^2 +sleep: until the bank opens {2}\d{4}-/m.test(await say("describe", "one")),
  );
  expect(await refuse("retry-now", "one", "charge")).toMatch(/^STEP_NOT_WAITING: No step "charge" of run one waits/);
  expect(await say("skip-sleep", "one", "sleep")).toBe("Timer sleep of one is to end now.");
  await eventually("it receives", async () => /^3 +receive decide {2}\d{4}-/m.test(await say("describe", "one")));
  expect(await refuse("skip-sleep", "one", "receive decide")).toMatch(
    /^ARGUMENT_INVALID: "receive decide" is no sleep/,
  );
  await say("skip-sleep", "one", "3");
  expect(JSON.parse(await say("result", "one", "--json"))).toEqual([2, null]);
  const history = await say("history", "one");
  expect(history).toMatch(/StepRetried +charge, attempt 2, without waiting longer/);
  expect(history).toMatch(/TimerSkipped +sleep$/m);
  expect(history).toMatch(/StepAttemptFailed +charge \(charge the card\), attempt 1, again in /);
  expect(history).toMatch(/StepCompleted +charge \(charge the card\) -> 2 \(attempt 2\)$/m);
  expect(history).toMatch(/TimerStarted +sleep \(until the bank opens\), after 86400000 ms$/m);
  expect(await refuse("query", "one", "any", "--only-if", "open")).toMatch(/^QUERY_REJECTED: Run one is completed/);
});

test("an update is answered, refused, or known by its id", async () => {
  await say("start", "basket", "--id", "basket");
  const lamp = ["--input", '{"name":"lamp","count":2}', "--json"];
  const sent = JSON.parse(
    await say("update", "basket", "addItem", ...lamp, "--wait-for", "accepted", "--update-id", "u"),
  );
  expect(sent).toEqual({ workflowId: "basket", update: "addItem", updateId: "u", stage: "accepted" });
  expect(JSON.parse(await say("update", "basket", "addItem", ...lamp, "--update-id", "u"))).toHaveLength(1);
  expect(await refuse("update", "basket", "addItem", "--input", '{"name":"cup","count":0}')).toMatch(
    /^UPDATE_REJECTED: .* was rejected: nothing is added$/,
  );
  expect(await refuse("update", "basket", "empty", "--timeout", "1m")).toMatch(
    /^UPDATE_UNKNOWN: .*"addItem", "checkout"/,
  );
  expect(await refuse("update", "basket", "checkout", "--wait-for", "tea")).toMatch(/^ARGUMENT_INVALID: .*"tea"|tea/);
  expect(JSON.parse(await say("update", "basket", "checkout"))).toEqual({ total: 2 });
  expect(await say("history", "basket")).toMatch(/UpdateCompleted {2}addItem -> \[\{"name":"lamp","count":2\}\]/);
});

test("a step that waits is completed by name, and failed for good by another", async () => {
  const contract = ["--input", '{"title":"Lease","signer":"Ann"}'];
  for (const id of ["lease", "loan"]) await say("start", "sign-off", "--id", id, ...contract);
  await eventually("both wait", async () => {
    const said = await Promise.all(["lease", "loan"].map((id) => say("describe", id)));
    return said.every((text) => /^1 +ask to sign {2}1 +from outside {2}-$/m.test(text));
  });
  const step = ["lease", "ask to sign", "--report-id", "once"];
  expect(await say("complete-step", ...step, "--result", '{"by":"Ann"}')).toBe(
    "Step ask to sign of lease is to be completed.",
  );
  expect(await say("complete-step", ...step, "--json")).toBe(
    '{"workflowId":"lease","step":"ask to sign","outcome":"completed"}',
  );
  expect(JSON.parse(await say("result", "lease"))).toEqual({ outcome: "signed", filed: "Lease, signed by Ann" });
  await say("fail-step", "loan", "ask to sign", "--message", "too dear", "--final");
  expect(JSON.parse(await say("result", "loan"))).toEqual({ outcome: "not signed", why: "too dear" });
  expect(await refuse("complete-step", "--token", "none")).toMatch(/^TOKEN_INVALID: /);
  expect(await refuse("fail-step", "lease")).toMatch(/^ARGUMENT_INVALID: Say which step is meant/);
  expect(await refuse("complete-step", "lease", "ask to sign")).toMatch(/^RUN_CLOSED: /);
  expect(await say("history", "lease")).toMatch(/StepDeferred {3}ask to sign, attempt 1, to be completed from outside/);
});

test("runs are canceled, terminated, and listed by how they ended", async () => {
  const input = '{"by":"Cleo","amount":5}';
  await say("start", "expense", "--id", "car", "--input", input);
  expect(await refuse("start", "expense", "--id", "car", "--input", input)).toMatch(/^RUN_ALREADY_STARTED: /);
  expect(await say("cancel", "car", "--reason", "too dear")).toBe("car is asked to stop.");
  expect(await refuse("result", "car")).toBe("RUN_FAILED: Run car ended as canceled: too dear");

  await say("start", "expense", "--id", "boat", "--input", input, "--delay", "1 hour");
  expect(await refuse("result", "boat", "--timeout", "50ms")).toMatch(/^RUN_STILL_OPEN: /);
  const delayed = JSON.parse(await say("describe", "boat", "--json"));
  expect(delayed).toMatchObject({ events: 1, pending: null, summary: expect.stringMatching(/^Begins at \d{4}-.*Z, /) });
  expect(await say("terminate", "boat")).toBe("boat is terminated.");

  const ended = (await say("list", "--status", "canceled", "terminated", "--workflow", "expense")).split("\n");
  // Other tests end runs of this workflow, too.
  const isOurs = (cells: string[]) => ["ID", "boat", "car"].includes(cells.at(-1) ?? "");
  const lines = ended.map((line) => line.split(/ {2,}/)).filter(isOurs);
  expect(lines.map((cells) => [cells[0], cells.at(-1)])).toEqual([
    ["STATUS", "ID"],
    ["terminated", "boat"],
    ["canceled", "car"],
  ]);
  const first = JSON.parse(await say("list", "--limit", "1", "--workflow", "expense", "--json"));
  expect(first.runs).toHaveLength(1);
  const second = JSON.parse(await say("list", "--limit", "1", "--after", first.next, "--json"));
  expect(second.runs[0].runId < first.runs[0].runId).toBe(true);
});

test("runs are found, sorted and counted by their attributes", async () => {
  const start = (id: string, amount: number, ...tags: string[]) => {
    const attributes = [`amount:double=${amount}`, `customer:keyword=${id[0]}`, `tags:keywordList=${tags.join(",")}`];
    const input = JSON.stringify({ by: id, amount });
    const delay = ["--delay", "1 hour", "--memo", '{"note":"found"}'];
    return say("start", "expense", "--id", id, "--input", input, ...delay, "--attribute", ...attributes);
  };
  await start("x-low", 3, "red");
  await start("x-high", 30, "red", "blue");
  await start("y-some", 7, "blue");
  const ids = async (...args: string[]) => {
    const table = (await say("list", ...args)).split("\n");
    return table
      .slice(1)
      .flatMap((line) => (line.startsWith("There may be") ? [] : (line.split(/ {2,}/).at(-1) ?? [])));
  };
  expect(await ids("--where", "amount>=7", "tags=blue", "--order-by", "amount")).toEqual(["x-high", "y-some"]);
  expect(await ids("--where", "customer^=x", "--order-by", "amount", "--asc")).toEqual(["x-low", "x-high"]);
  expect(await ids("--where", "amount>3", "amount<30", "startedAt>2026-01-01")).toEqual(["y-some"]);
  const page = JSON.parse(
    await say("list", "--where", "customer!=null", "--order-by", "amount", "--limit", "2", "--json"),
  );
  expect(await ids("--order-by", "amount", "--after", page.next)).toEqual(["x-low"]);
  expect(page.runs[0]).toMatchObject({ attributes: { amount: 30, customer: "x" }, memo: { note: "found" } });
  expect(await say("describe", "x-low")).toMatch(/^attributes {2}\{"amount":3,"customer":"x","tags":\["red"\]\}$/m);
  expect(await say("count", "--where", "customer=x")).toBe("2");
  const counted = await say("count", "--where", "customer=x", "--by", "tags");
  expect(counted.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
    ["RUNS", "TAGS"],
    ["2", "red"],
    ["1", "blue"],
  ]);
  expect(JSON.parse(await say("count", "--where", "customer=x", "--by", "status", "--json"))).toEqual([
    { value: "running", count: 2 },
  ]);
});

test("a run goes to another database by its file, and goes on there", async () => {
  const folder = mkdtempSync(join(tmpdir(), "everstep-import-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { url: other } = await createDatabase();
  const input = ["--input", '{"by":"moved","amount":3}'];
  await say("start", "expense", "--id", "moved", "--delay", "1h", ...input);
  const file = await say("export", "--id", "moved", "--to", folder);
  expect(await refuse("import", file)).toMatch(
    /^RUN_ALREADY_STARTED: Run \w{26} \(moved\) is in this database already/,
  );
  await say("terminate", "moved");
  expect(await say("import", file, "--database", other)).toMatch(/^Imported moved \(run \w{26}\) from .*\.json$/);
  expect(await say("list", "--database", other)).toMatch(/^running {2}expense .* moved$/m);
  expect(await refuse("import", join(folder, "none.json"))).toMatch(/^ARGUMENT_INVALID: .*no history file.*ENOENT/);
  await say("terminate", "moved", "--database", other);
  const closed = await say("export", "--id", "moved", "--to", folder, "--database", other);
  const { url: third } = await createDatabase();
  expect(JSON.parse(await say("import", closed, "--database", third, "--json"))).toMatchObject([
    { workflowId: "moved" },
  ]);
  expect(await say("history", "moved", "--database", third)).toMatch(/RunTerminated/);
});

test("what is said of a run is shown in lists and with the run", async () => {
  const about = ["--summary", "trip to \u001b[31mOslo", "--details", "- by train\n- by ship"];
  await say("start", "expense", "--id", "told", "--input", '{"by":"told","amount":3}', "--delay", "1h", ...about);
  const table = (await say("list", "--id", "told")).split("\n").map((line) => line.split(/ {2,}/));
  expect(table.map((cells) => cells.slice(-2))).toEqual([
    ["ID", "ABOUT"],
    ["told", "trip to \ufffd[31mOslo"],
  ]);
  const described = await say("describe", "told");
  expect(described).toMatch(/^about {5}trip to .*Oslo$/m);
  expect(described).toMatch(/\n\nDETAILS\n- by train\n- by ship$/);
  expect(await refuse("start", "expense", "--summary", "x".repeat(401))).toMatch(/^ARGUMENT_INVALID: .*1 to 400 bytes/);
});

test("histories are written as files that replay against the code", async () => {
  const folder = mkdtempSync(join(tmpdir(), "everstep-export-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  await say("start", "expense", "--id", "kept", "--input", '{"by":"Ann","amount":3}');
  await say("signal", "kept", "decide", "--input", '{"approver":"Bob","isApproved":true}');
  await say("result", "kept");
  const file = await say("export", "--id", "kept", "--to", folder);
  const history = readFileSync(file, "utf8");
  expect(JSON.parse(history)).toMatchObject({ format: "everstep.history", version: 1, workflowId: "kept", mail: [] });
  await replayHistory(expense, history);
  const written = JSON.parse(
    await say("export", "--workflow", "expense", "--where", "startedAt>2026-01-01", "--to", folder, "--json"),
  );
  expect(written).toContain(file);
  expect(await refuse("export", "--to", folder)).toMatch(/^ARGUMENT_INVALID: export takes either --id/);
});

test("closed runs of an age are counted, and deleted when told so", async () => {
  await say("start", "hello", "--id", "old", "--input", '{"name":"Ann"}');
  await say("result", "old");
  const prune = (...args: string[]) => say("prune", "--workflow", "hello", ...args);
  expect(await prune("--closed-for", "1 day", "--delete")).toBe("0 run(s) with 0 event(s) deleted.");
  expect(await prune("--closed-for", "1ms")).toMatch(/^\d+ run\(s\) with \d+ event\(s\) would be deleted\./);
  expect((await say("describe", "old")).length).toBeGreaterThan(0);
  expect(await prune("--closed-for", "1ms", "--delete")).toMatch(/ deleted\.$/);
  expect(await refuse("describe", "old")).toMatch(/^RUN_NOT_FOUND: /);
});

test.each([
  ["a condition that is none", ["list", "--where", "amount"], /^ARGUMENT_INVALID: --where: "amount" is no condition/],
  [
    "an attribute without a type",
    ["start", "hello", "--attribute", "a=b"],
    /^ARGUMENT_INVALID: --attribute takes a name/,
  ],
  ["a run that is not there", ["describe", "nobody"], /^RUN_NOT_FOUND: .*nobody/],
  ["input that is not JSON", ["start", "hello", "--input", "{name: 1}"], /^ARGUMENT_INVALID: --input takes JSON, .*/],
  ["a time without a unit", ["result", "x", "--timeout", "5"], /^ARGUMENT_INVALID: --timeout: "5" /],
  ["a file that is not there", ["worker", "nowhere.ts"], /^CONFIGURATION_INVALID: There is no file .*nowhere\.ts\.$/],
  [
    "a file without workflows",
    ["dev", fileURLToPath(new URL("../support/eventually.ts", import.meta.url))],
    /^CONFIGURATION_INVALID: .* exports no workflow\. /,
  ],
])("%s is one line, and exit code 1", async (_, args, line) => {
  expect(await refuse(...args)).toMatch(line);
});

test("output that is cut off by its reader is no error", async () => {
  const child = startEverstep(["list"], { env: { DATABASE_URL: database } });
  child.stdout.destroy();
  const [stderr, [code]] = await Promise.all([text(child.stderr), once(child, "exit")]);
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
});

test("dev brings its own database, executes, and ends well when told to", async () => {
  const folder = mkdtempSync(join(tmpdir(), "everstep-dev-"));
  chmodSync(folder, 0o755);
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const dev = startEverstep(["dev", example("hello")], { cwd: folder, env: { DATABASE_URL: database } });
  const lines: string[] = [];
  createInterface({ input: dev.stdout }).on("line", (line) => lines.push(line));
  const ended = Promise.all([once(dev, "exit"), text(dev.stderr)]);
  const url = await eventually("it says where its database is", () => {
    const [, shown] = /^database {3}(\S+) \(embedded\)$/m.exec(lines.join("\n")) ?? [];
    if (shown === undefined) throw new Error(lines.join("\n"));
    return shown;
  });
  expect(url).not.toBe(database);
  expect(lines[0]).toBe("workflows  hello");
  await everstep(["start", "hello", "--id", "dev", "--input", '{"name":"Dev"}', "--database", url]);
  expect((await everstep(["result", "dev", "--database", url])).stdout).toBe('"Hello, Dev! Goodbye, Dev."\n');
  dev.kill("SIGINT");
  expect(await ended).toEqual([[0, null], ""]);
});

test("dev with --database uses the one in DATABASE_URL, and migrates it", async () => {
  const { url } = await createDatabase({ isEmpty: true });
  const dev = startEverstep(["dev", example("hello"), "--database"], { env: { DATABASE_URL: url } });
  dev.stdout.resume();
  const ended = Promise.all([once(dev, "exit"), text(dev.stderr)]);
  await eventually("runs can be started", async () => {
    const { code } = await everstep(["start", "hello", "--input", '{"name":"Eve"}', "--id", "eve", "--database", url]);
    return code === 0;
  });
  expect((await everstep(["result", "eve", "--database", url])).stdout).toBe('"Hello, Eve! Goodbye, Eve."\n');
  dev.kill("SIGTERM");
  expect(await ended).toEqual([[0, null], ""]);
});

// The examples, executed as a reader would, in a folder of their own. They share it, as they would in a checkout: so each
// meets the data the others left, and the last test runs one of them again.

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const runner = fileURLToPath(new URL("../../examples/run.ts", import.meta.url));
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "everstep-examples-"));
  chmodSync(folder, 0o755); // the embedded Postgres of root runs as another user
});

afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function example(...args: string[]) {
  const { DATABASE_URL: _, REDIS_URL: __, ...env } = process.env;
  const options = ["--conditions=everstep-source", "--import", import.meta.resolve("tsx")];
  const child = spawn(process.execPath, [...options, runner, ...args], {
    cwd: folder,
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
  return { lines: stdout.trimEnd().split("\n"), stderr, code };
}

test("hello greets and takes leave", async () => {
  expect(await example("hello")).toEqual({ lines: ["Hello, Ann! Goodbye, Ann."], stderr: "", code: 0 });
});

test("order: one is shipped, one canceled and refunded, one refunded because it cannot be shipped", async () => {
  const { lines, stderr, code } = await example("order");
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  expect(lines).toEqual([
    "All three are charged; order-lamp is waiting for approval.",
    'order-lamp is shipped. completed with {"parcel":"lamp to 1 High Street","approvedBy":"Ann","charged":40}',
    "order-chair is refunded. canceled: Run order-chair ended as canceled: the customer changed her mind",
    expect.stringMatching(/^order-desk is refunded\. failed: .*the order has no address$/),
    "order-lamp: charge took 3 attempt(s).",
    "order-lamp: ship took 1 attempt(s).",
    "The provider's books: 3 charges, 2 refunds.",
  ]);
});

test("basket: updates are answered, refused and failed, and the run goes on", async () => {
  expect(await example("basket")).toEqual({
    lines: [
      'in the basket: [{"name":"lamp","count":2}]',
      'in the basket: [{"name":"lamp","count":2},{"name":"chair","count":4}]',
      "no table: UPDATE_REJECTED: nothing is added",
      'no cup: UPDATE_FAILED: step "reserve cup" failed: PermanentError: there are no 100 of cup',
      'checked out: {"total":6}',
      "sold: lamp, chair",
    ],
    stderr: "",
    code: 0,
  });
});

test("cart: operations of a key go one after the other, one that fails leaves no trace, and its end is one", async () => {
  expect(await example("cart")).toEqual({
    lines: ["items: 1, 1, 2", "no cup: UPDATE_FAILED", "Ann has 6", "Bob has 1", "sold: chair, lamp", "Ann has 0"],
    stderr: "",
    code: 0,
  });
});

test("outage: all that wait are tried at once, one sleep is skipped, the rest is canceled", async () => {
  expect(await example("outage")).toEqual({
    lines: [
      "503 Service Unavailable",
      "3 invoices wait for up to an hour.",
      "3 were charged at once, and wait for a month.",
      "Ann's is over: charge of Ann.",
      "2 were canceled.",
    ],
    stderr: "",
    code: 0,
  });
});

test("fan-out prints the checksum of every file, in order", async () => {
  const files = join(folder, "files");
  mkdirSync(join(files, "deeper"), { recursive: true });
  for (let index = 0; index < 300; index += 1) writeFileSync(join(files, `${1_000 + index}.txt`), `file ${index}`);
  writeFileSync(join(files, "deeper", "empty"), "");
  const names = readdirSync(files, { recursive: true, encoding: "utf8" }).filter((name) => name !== "deeper");
  const sum = (name: string) =>
    createHash("sha256")
      .update(readFileSync(join(files, name)))
      .digest("hex");

  const { lines, code } = await example("fan-out", files);
  expect(lines).toEqual([...names.sort().map((name) => `${sum(name)}  ${name}`), "301 files, in order."]);
  expect(code).toBe(0);
});

test("trip: one is paid for, one has no car, one is canceled, and what was booked for the last two is undone", async () => {
  const { lines, stderr, code } = await example("trip");
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  expect(lines).toEqual([
    'Ann: {"flight":"flight of Ann to Rome","hotel":"hotel of Ann to Rome","car":"car of Ann to Rome","paid":120000}',
    expect.stringMatching(
      /^Bob: Run trip-Bob ended as failed: parallel\(\): 1 of 2 items failed, .*no cars in Venice$/,
    ),
    "Cleo: Run trip-Cleo ended as canceled: Cleo stays at home",
    "Canceled, in this order: hotel of Bob to Venice, flight of Bob to Venice, car of Cleo to Oslo, hotel of Cleo to Oslo, flight of Cleo to Oslo",
    "Booked: flight of Ann to Rome, hotel of Ann to Rome, car of Ann to Rome",
  ]);
});

test("approval: the one decided on is paid, the other expires", async () => {
  expect(await example("approval")).toEqual({ lines: ["train: paid", "yacht: expired"], stderr: "", code: 0 });
});

test("sign-off: one is signed by its link, once, and the other declined", async () => {
  expect(await example("sign-off")).toEqual({
    lines: [
      "Ann signs: Thank you.",
      "lease: { outcome: 'signed', filed: 'Lease, signed by Ann' }",
      "Ann signs again: STEP_NOT_WAITING",
      "Bob declines: Thank you.",
      "loan: { outcome: 'not signed', why: 'too dear' }",
    ],
    stderr: "",
    code: 0,
  });
});

test("payment: what the provider delivers counts once, and what others send does not", async () => {
  expect(await example("payment")).toEqual({
    lines: [
      "a stranger who guesses: 404",
      "somebody without the secret: 202",
      "the provider: 202",
      "the provider again: 202",
      "{ outcome: 'paid', amount: 40, ignored: 1 }",
      "another event, too late: 410",
    ],
    stderr: "",
    code: 0,
  });
});

test("subscription: one runs out, the other is canceled after its second charge", async () => {
  const { lines, code } = await example("subscription");
  expect(lines[0]).toBe("Ann: { ended: 'ran out', months: 3 } { months: 3, amount: 27 }");
  const [, ended, asked] =
    /^Bob: { ended: 'canceled', months: (\d+) } { months: (\d+), amount: \d+ }$/.exec(lines[1] ?? "") ?? [];
  expect(Number(ended)).toBeGreaterThanOrEqual(2);
  expect(asked).toBe(ended);
  expect({ code, lines: lines.length }).toEqual({ code: 0, lines: 2 });
});

test("transfer: the money moves once although its worker is killed between debit and credit", async () => {
  const { lines, code } = await example("transfer");
  expect(lines.filter((line) => !line.includes('"lostWorkerId"'))).toEqual([
    "before: ann 100, bob 0",
    "after the debit, worker ended by SIGKILL: ann 100, bob 0",
    "result: { from: 'ann', balance: 70 }",
    "after a second worker: ann 70, bob 30",
  ]);
  expect(code).toBe(0);
});

test("tour: one comes off; the other does not, and its hotel ends with it", async () => {
  expect(await example("tour")).toEqual({
    lines: [
      "Atlantis: no tour: the flight could not be had",
      "its hotel: terminated",
      "Lisbon: seat 12A to Lisbon, room room 7 in Lisbon",
    ],
    stderr: "",
    code: 0,
  });
});

test("traced: the attempts of a run's steps belong to the request that started it", async () => {
  expect(await example("traced")).toEqual({
    lines: [
      "label of parcel 7, handed over",
      "1 trace:",
      "  POST /parcels",
      '  start delivery, in "POST /parcels"',
      '  step label, in "start delivery", attempt 1',
      '  step hand over, in "start delivery", attempt 1, Error: the van is not there yet',
      '  step hand over, in "start delivery", attempt 2',
    ],
    stderr: "",
    code: 0,
  });
});

test("encryption: a run goes on under a new key, and no word of it is readable in the database", async () => {
  const { lines, stderr, code } = await example("encryption");
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  const envelope = expect.stringMatching(/^\{"\$everstep":"encoded","by":\["aes-256-gcm"\]/);
  expect(lines).toEqual([
    "result: Ann Ash, born in 1980: a cold",
    ...[envelope, envelope, envelope, envelope],
    "no word is readable",
  ]);
});

test("changed: who is past the change goes the old way, all others the new one", async () => {
  const { lines, stderr, code } = await example("changed");
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  expect(lines.slice(0, 2).sort()).toEqual(["parcel-before: the new code fits", "parcel-past: the new code fits"]);
  expect(lines.slice(2)).toEqual([
    "parcel-past: charged at once",
    "parcel-before: authorized, and captured on arrival",
    "parcel-after: authorized, and captured on arrival",
  ]);
});

test("releases: runs of two versions side by side, moved where the code fits, and back where it does not", async () => {
  const { lines, stderr, code } = await example("releases");
  expect({ stderr, code }).toEqual({ stderr: "", code: 0 });
  expect(lines).toEqual([
    "young, started with the old definition: version 2.0.0",
    "old: sent by post",
    "moved: sent by courier",
    "young: sent by courier",
    "again: the new code does not fit what the old one has sent",
    "again: sent by post",
    "2.0.0: 0 open, gets new runs",
    "1.0.0: drained",
  ]);
});

test("tickets: the most urgent first, counted by label, and told how they ended", async () => {
  expect(await example("tickets")).toEqual({
    lines: [
      "9 The house is on fire.",
      "2 The lamp is dark.",
      "lamp: 2",
      "chair: 1",
      "fire: 1",
      "none: 1",
      "It is taken care of. Open tickets: 0",
    ],
    stderr: "",
    code: 0,
  });
});

test("plotter: one after the other in the order of asking, and who does not wait is told so", async () => {
  expect(await example("plotter")).toEqual({
    lines: [
      "drawing-house holds the plotter",
      "drawing-garden waits",
      "drawing-fence waits",
      "cat: the plotter is busy",
      "house: sheet 1, cut",
      "garden: sheet 2, cut",
      "fence: sheet 3, cut",
      "Locks left: 0",
    ],
    stderr: "",
    code: 0,
  });
});

test("an example that is run again ends as before", async () => {
  const first = await example("order");
  expect(await example("order")).toEqual(first);
  expect(first.code).toBe(0);
});

test("without a name, the examples are listed", async () => {
  const { stderr, code } = await example();
  expect(stderr).toContain("hello");
  expect(code).toBe(1);
});

// Records golden histories with this release: real runs by the real worker, on the store in memory. Run it once per
// release, and whenever a type of event is added:
//
//   node --conditions=everstep-source --import tsx test/golden/record.ts
//
// A file that exists is left as it is: what a release wrote stays what it wrote.

import { existsSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { installGuards } from "../../runtime/worker/guards/install.ts";
import type { RunHandle } from "../../sdk/client/run-handle.ts";
import { eventually } from "../support/eventually.ts";
import { buildHouse, typesOf } from "../support/memory-house.ts";
import { GOLDEN_FOLDER, type GoldenFile } from "./golden-file.ts";
import {
  add,
  approve,
  carried,
  changed,
  countdown,
  data,
  endless,
  failing,
  family,
  following,
  GOLDEN_WORKFLOWS,
  handedOff,
  hurried,
  inTheWay,
  moved,
  note,
  noted,
  order,
  regains,
  repaired,
  retried,
  shared,
  sharing,
  stopped,
  summarized,
  takesTurns,
  tally,
  told,
  undone,
} from "./workflows.ts";

// What waits for nothing but timers of the runtime would otherwise end the process.
const hold = setInterval(() => {}, 1_000);
installGuards();
const closing: (() => Promise<void>)[] = [];
const house = buildHouse({ leaseTtlMs: 500 }, (close) => void closing.push(close));
const { client, store } = house;
const { version } = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8")) as {
  version: string;
};

/** Waits until the run has come to this event. */
const reaches = (run: RunHandle, type: string) =>
  eventually(`a ${type}`, async () => (await typesOf(run)).includes(type));

async function keep(subject: string, workflow: string, run: RunHandle): Promise<void> {
  await run.result().catch(() => {});
  const [history] = await store.loadHistories([run.runId ?? ""]);
  const file = new URL(`${version}-${subject}.golden.json`, GOLDEN_FOLDER);
  const golden: GoldenFile = { release: version, subject, workflow, events: history?.events ?? [] };
  // Stacks name files: where this machine keeps them is nobody's concern.
  const text = JSON.stringify(golden, null, 2).replaceAll(fileURLToPath(new URL("../..", import.meta.url)), "/app/");
  if (!existsSync(file)) await writeFile(file, `${text}\n`);
}

const input = { card: "4242", total: 10, at: new Date(0) };
const completed = await client.signalWithStart(order, { id: "order", input, signal: note, payload: "early" });
await house.startWorker(GOLDEN_WORKFLOWS);
await reaches(completed, "TimerFired");
await completed.signal(approve, { by: "ann" });
await eventually("the second approval timed out", async () => {
  return (await typesOf(completed)).filter((type) => type === "TimerFired").length === 2;
});
await completed.signal(approve, { by: "nobody asked" });
await completed.signal(note, "late");
await keep("completed", order.name, completed);

await keep("failed", failing.name, await client.start(failing));

const canceled = await client.start(stopped);
await reaches(canceled, "TimerStarted");
await canceled.cancel("changed my mind");
await keep("canceled", stopped.name, canceled);

const patchedRun = await client.signalWithStart(changed, { signal: note, payload: "early" });
await reaches(patchedRun, "PatchMarked");
await patchedRun.signal(note, "late");
await patchedRun.signal(approve, { by: "ann" });
await keep("patched", changed.name, patchedRun);

const terminated = await client.start(endless);
await reaches(terminated, "StepCompleted");
await terminated.terminate("out of patience");
await keep("terminated", endless.name, terminated);

await keep("timed-out", endless.name, await client.start(endless, { timeout: 200 }));

const updated = await client.start(tally);
for (const n of [1, -1, 13, 2]) await updated.update(add, n).catch(() => {});
await keep("updated", tally.name, updated);
const options = { attributes: data({ customer: "c1" }), memo: { note: "first", kept: [1] } };
await keep("data", told.name, await client.start(told, options));
const about = { summary: "said to people", details: "at **length**" };
await keep("notes", noted.name, await client.start(noted, about));
await keep("summaries", summarized.name, await client.start(summarized));
const headers = { traceparent: "00-1-2-01", tenant: "Zoë" };
await keep("headers", carried.name, await client.start(carried, { headers }));
await keep("continued", countdown.name, await client.start(countdown, { input: 2 }));
const chained = await client.start(countdown, { input: 1, chainTimeout: "1 hour" });
await keep("chain-limited", countdown.name, chained);

const retry = { initialInterval: 2, backoff: "fixed", nonRetryable: ["TypeError"] } as const;
const again = await client.start(retried, { id: "again", input: "tower", retry, summary: "a tower" });
await again.signal(note, "kept");
await again.result();
const attempts = await client.list({ workflowId: "again", orderBy: { direction: "asc" } });
for (const [place, subject] of ["retried", "retry"].entries()) {
  await keep(subject, retried.name, client.get(retried, "again", attempts.runs[place]?.runId));
}

const adopted = await client.start(shared, { id: "golden-shared" });
const adopting = await client.start(sharing);
await reaches(adopted, "RunAdopted");
await adopted.signal(note, "to both");
await keep("adopted", shared.name, adopted);
await keep("adopting", sharing.name, adopting);

await client.start(endless, { id: "golden-told" });
await keep("family", family.name, await client.start(family));

const followed = await client.start(following);
await reaches(followed, "ExternalDelivered");
const startedAt = (await typesOf(followed)).indexOf("ChildStarted") + 1;
const follower = await followed.fork({ id: "golden-follower", at: startedAt });
await reaches(follower, "ExternalDelivered");
await client.get(shared, "golden-followed").signal(note, "to both");
await keep("forked", following.name, follower);

const queue = "repair";
const broken = await client.start(repaired, { queue });
const [workerId, claimId] = [crypto.randomUUID(), crypto.randomUUID()];
const { claimed } = await store.claimRuns({ workerId, claimId, queues: [queue], limit: 1, suspects: "exclude" });
const reason = { kind: "unknownWorkflow", message: "no worker had it" } as const;
await store.blockRuns(claimed.map((claim) => ({ claim, reason })));
await broken.unblock();
await broken.pause("not yet");
await broken.resume();
await house.startWorker([repaired], { queues: [queue] });
await broken.result().catch(() => {});
await keep("repaired", repaired.name, await broken.retryFrom());

const hurriedRun = await client.start(hurried);
const reachesTimes = (run: RunHandle, type: string, times: number) =>
  eventually(`${times} ${type}`, async () => (await typesOf(run)).filter((each) => each === type).length === times);
const reachesAgain = (type: string, times: number) => reachesTimes(hurriedRun, type, times);
for (const attempt of [1, 2]) {
  await reachesAgain("StepAttemptFailed", attempt);
  await hurriedRun.retryNow("look");
}
await reachesAgain("TimerStarted", 1);
await hurriedRun.skipSleep();
await reachesAgain("TimerStarted", 2);
await Promise.all([hurriedRun.skipSleep(3), hurriedRun.skipSleep(3)]);
await reachesAgain("RequestIgnored", 1);
await hurriedRun.signal(note, "on time");
await keep("hurried", hurried.name, hurriedRun);
const movedRun = await client.start(moved, { queue: "moving" });
await movedRun.moveTo(null);
await movedRun.moveTo("1.0.0");
await house.startWorker([moved], { queues: ["moving"] });
await keep("moved", moved.name, movedRun);

const deferred = await client.start(handedOff);
await reaches(deferred, "StepDeferred");
await deferred.heartbeatStep("sign", { read: 1 });
await deferred.failStep("sign", new TypeError("no pen"));
await eventually("the next attempt waits", async () => {
  return (await typesOf(deferred)).filter((type) => type === "StepDeferred").length === 2;
});
await Promise.all([deferred.completeStep("sign", "Ann"), deferred.completeStep("sign", "Bob")]);
await reaches(deferred, "StepReported");
await eventually("the stamp is waited for", async () => {
  return (await typesOf(deferred)).filter((type) => type === "StepDeferred").length === 3;
});
await deferred.signal(approve, { by: "ann" });
await deferred.completeStep("stamp", "stamped");
await deferred.signal(approve, { by: "ann" });
await keep("handed-off", handedOff.name, deferred);

const blocking = await client.start(inTheWay);
await reaches(blocking, "LockGranted");
const turns = await client.start(takesTurns);
await turns.signal(approve, { by: "ann" });
await turns.result();
await blocking.signal(note, "enough");
await keep("locks", takesTurns.name, turns);

const asAnn = house.openClient([], undefined, "ann");
const hurriedAgain = await asAnn.start(hurried);
await reaches(hurriedAgain, "StepAttemptFailed");
await hurriedAgain.pause("not yet");
await hurriedAgain.resume({ actor: "bob" });
await hurriedAgain.retryNow("look");
await reachesTimes(hurriedAgain, "StepAttemptFailed", 2);
await hurriedAgain.retryNow("look", { actor: "bob" });
await reaches(hurriedAgain, "TimerStarted");
await hurriedAgain.skipSleep();
await reachesTimes(hurriedAgain, "TimerStarted", 2);
await hurriedAgain.cancel("enough");
await keep("acted", hurried.name, hurriedAgain);
const locked = await client.start(regains);
await reaches(locked, "StepCompleted");
const regained = await locked.reset();
await regained.signal(approve, { by: "ann" });
await keep("regained", regains.name, regained);

await keep("undone", undone.name, await client.start(undone));

for (const close of closing.reverse()) await close();
clearInterval(hold);

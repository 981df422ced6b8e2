// Kept histories, replayed by the folder.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { sleep, step, workflow } from "everstep";
import { crashEverywhere, replayFolder } from "everstep/testing";
import { expect, onTestFinished, test } from "vitest";

const trip = workflow("trip", async (to: string) => {
  const ticket = await step("book", () => `ticket to ${to}`);
  await sleep("2 days");
  return ticket;
});
const call = workflow("call", () => step("dial", () => "hello"));

async function folderOf(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "everstep-histories-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  mkdirSync(join(folder, "2030"));
  const { history } = await crashEverywhere(trip, { input: "Rome" });
  writeFileSync(join(folder, "2030", "rome.history.json"), JSON.stringify(history));
  writeFileSync(join(folder, "call.history.json"), JSON.stringify((await crashEverywhere(call)).history.events));
  writeFileSync(join(folder, "notes.json"), "none of them");
  return folder;
}

test("every history below the folder is replayed against its workflow", async () => {
  const folder = await folderOf();
  const files = [join(folder, "2030", "rome.history.json"), join(folder, "call.history.json")];
  expect(await replayFolder([trip, call], folder)).toEqual(files);
  expect(await replayFolder([trip, call], pathToFileURL(folder), { everyPrefix: true })).toEqual(files);
});

test("each that does not fit is named with its reason", async () => {
  const folder = await folderOf();
  writeFileSync(join(folder, "broken.history.json"), "{");
  const changed = workflow("trip", async () => step("pack", () => "bags"));
  const replaying = replayFolder([changed], folder);
  await expect(replaying).rejects.toMatchObject({ name: "AssertionError" });
  const [head, ...lines] = (await replaying.catch((error: Error) => error.message.split("\n"))) as string[];
  expect(head).toBe(`3 of 3 histories in ${folder} do not fit this code:`);
  expect(lines).toEqual([
    expect.stringMatching(/^ {2}2030\/rome\.history\.json: .*StepCompleted\("book"\).*pack/),
    expect.stringMatching(/^ {2}broken\.history\.json: .*it is not JSON/),
    '  call.history.json: It is a history of workflow "call", which was not given (given: "trip").',
  ]);
});

test("a folder without histories, or none at all, is no success", async () => {
  const folder = await folderOf();
  const invalid = { code: "ARGUMENT_INVALID" };
  await expect(replayFolder([trip], folder, { suffix: ".golden" })).rejects.toMatchObject(invalid);
  await expect(replayFolder([trip], join(folder, "nowhere"))).rejects.toMatchObject(invalid);
});

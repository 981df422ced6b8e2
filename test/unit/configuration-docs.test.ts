// docs/configuration.md and the code name the same options, variables and commands, and give the same defaults.

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Command } from "commander";
import { parseSync } from "vite";
import { expect, test } from "vitest";
import { workerSettings } from "../../runtime/worker/settings.ts";
import { MAX_CONDITIONS } from "../../sdk/protocol/attribute-filter.ts";
import {
  MAX_ATTRIBUTE_BYTES,
  MAX_ATTRIBUTE_NAME_BYTES,
  MAX_DATA_BYTES,
  MAX_DATA_KEYS,
} from "../../sdk/protocol/attributes.ts";
import { MAX_DURATION_MS } from "../../sdk/protocol/duration.ts";
import { MAX_CAUSES, MAX_FAILURE_BYTES } from "../../sdk/protocol/failures.ts";
import { MAX_HEADER_BYTES, MAX_HEADERS } from "../../sdk/protocol/headers.ts";
import { MAX_NAME_LENGTH, MAX_WORKFLOW_ID_LENGTH } from "../../sdk/protocol/names.ts";
import { PAYLOAD_LIMITS } from "../../sdk/protocol/payload.ts";
import { readSourceTree } from "../support/source-tree.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const page = readFileSync(`${root}/docs/configuration.md`, "utf8");

type Node = Readonly<Record<string, unknown>>;

/** The rows of the first table below a heading, as cells. */
function tableBelow(heading: string): string[][] {
  const [, below = ""] = page.split(new RegExp(`^#+ ${heading}$`, "m"));
  const [table = ""] = /(?:^\|.*\n)+/m.exec(below) ?? [];
  return table
    .trim()
    .split("\n")
    .slice(2)
    .map((row) =>
      row
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

const namesBelow = (heading: string) =>
  tableBelow(heading)
    .map(([name = ""]) => name.replaceAll("`", ""))
    .sort();

const syntaxOf = (file: string) => parseSync(file, readFileSync(`${root}/${file}`, "utf8"), { lang: "ts" }).program;

function nodesIn(value: unknown): Node[] {
  if (Array.isArray(value)) return value.flatMap(nodesIn);
  if (typeof value !== "object" || value === null) return [];
  return [value as Node, ...Object.values(value).flatMap(nodesIn)];
}

/** The names of an interface's own members. */
function membersOf(file: string, name: string): string[] {
  const declared = nodesIn(syntaxOf(file)).find(
    (node) => node.type === "TSInterfaceDeclaration" && (node.id as Node).name === name,
  );
  const members = (declared?.body as { body: { key: { name: string } }[] } | undefined)?.body ?? [];
  return members.map(({ key }) => key.name).sort();
}

test.each([
  ["Connections", "runtime/runtime.ts", "ConnectionOptions"],
  ["Worker", "runtime/worker.ts", "WorkerOptions"],
  ["Client", "runtime/client.ts", "ClientOptions"],
  ["Embedded", "runtime/embed.ts", "EmbeddedOptions"],
])("the options under %s are those of the code", (heading, file, name) => {
  const members = membersOf(file, name);
  expect(members).not.toEqual([]);
  expect(namesBelow(heading)).toEqual(members);
});

test("the settings of a worker and their defaults are those of the code", () => {
  const told = Object.fromEntries(
    tableBelow("Settings").map(([name = "", , value = ""]) => [name.replaceAll("`", ""), defaultOf(value)]),
  );
  expect(told).toEqual(workerSettings());
});

function defaultOf(cell: string): unknown {
  const [number] = /^[\d,]+/.exec(cell) ?? [];
  return number === undefined ? JSON.parse(cell.replaceAll("`", "")) : Number(number.replaceAll(",", ""));
}

test("the settings that may be zero are those that say so", () => {
  for (const [name = "", type = ""] of tableBelow("Settings")) {
    const setting = name.replaceAll("`", "");
    if (setting === "queues") continue;
    const attempt = () => workerSettings({ [setting]: 0 });
    if (type.includes("may be 0")) expect(attempt(), setting).toMatchObject({ [setting]: 0 });
    else expect(attempt, setting).toThrow(setting);
  }
});

test("the environment variables are those that the code reads", () => {
  const read = new Set<string>();
  for (const source of readSourceTree(root, ["sdk", "runtime"]).values()) {
    for (const [, name = ""] of source.matchAll(/process\.env\.(\w+)/g)) read.add(name);
    for (const [, name = ""] of source.matchAll(/\.env\(\s*"(\w+)"/g)) read.add(name);
  }
  expect(namesBelow("Environment variables")).toEqual([...read].sort());
});

test("the commands, their arguments and options are those of the command line", async () => {
  const folder = `${root}/runtime/cli`;
  const made: Record<string, unknown> = {};
  for (const file of readdirSync(folder).filter((name) => /-commands?\.ts$/.test(name))) {
    const exported = Object.entries((await import(`${folder}/${file}`)) as Record<string, unknown>);
    for (const [name, make] of exported) {
      if (!name.endsWith("Command") || typeof make !== "function") continue;
      const command = make() as Command;
      const words = command.registeredArguments.map((one) => (one.variadic ? `<${one.name()}...>` : `<${one.name()}>`));
      made[command.name()] = { arguments: words, options: command.options.map(({ long }) => long).sort() };
    }
  }
  const wordsIn = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, word]) => word);
  const told = tableBelow("Command line").map(([name = "", words = "", options = ""]) => [
    name.replaceAll("`", ""),
    { arguments: wordsIn(words), options: wordsIn(options).sort() },
  ]);
  expect(Object.fromEntries(told)).toEqual(made);
});

test("the limits are those of the code", () => {
  const limits = new Map(tableBelow("Limits that are not options").map(([what = "", value = ""]) => [what, value]));
  const numbers = (what: string) =>
    [...(limits.get(what) ?? "").matchAll(/[\d,]*\d/g)].map(([n]) => n.replaceAll(",", ""));
  const { maxBytes, maxDepth, maxValues, maxRichValues } = PAYLOAD_LIMITS;
  expect(numbers("Name of a workflow, step, signal, update, query, queue")).toEqual([`${MAX_NAME_LENGTH}`]);
  expect(numbers("Workflow id, signal id, update id, report id, request id")).toEqual([`${MAX_WORKFLOW_ID_LENGTH}`]);
  expect(numbers("Payload (input, result, signal, answer, heartbeat)").filter((n) => n !== "8")).toEqual(
    [maxBytes / 2 ** 20, maxDepth, maxValues, maxRichValues].map(String),
  );
  expect(numbers("Failure in a history")).toEqual([`${MAX_FAILURE_BYTES / 1024}`]);
  expect(MAX_CAUSES).toBe(10);
  expect(numbers("Headers of a run").slice(0, 2)).toEqual([MAX_HEADERS, MAX_HEADER_BYTES / 1024].map(String));
  expect(numbers("Attributes of a run")).toEqual(
    [MAX_DATA_KEYS, MAX_ATTRIBUTE_NAME_BYTES, MAX_ATTRIBUTE_BYTES, MAX_DATA_BYTES / 1024].map(String),
  );
  expect(numbers("Memo of a run")).toEqual([MAX_DATA_KEYS, MAX_DATA_BYTES / 1024].map(String));
  expect(numbers("Conditions on attributes in one filter, values in one `oneOf`")).toEqual([`${MAX_CONDITIONS}`]);
  expect(numbers("Duration")).toEqual([`${MAX_DURATION_MS / 86_400_000 / 365.25}`]);
});

// The rules. Each looks at one node of workflow code at a time and says what is wrong, and what to write instead.

import { everstepCall, foreignName } from "./calls.ts";
import { type Rule, ruleOver } from "./rule.ts";
import { isNode, isPropertyName, type Node, propertyOf, unwrap } from "./syntax.ts";

const inWorkflow = (kind: string) => kind !== "step";

/** What differs at each replay and is not taken from the history; with what to use instead. */
const CHANCES: Readonly<Record<string, string>> = {
  "process.hrtime": "Date.now()",
  "process:hrtime": "Date.now()",
  "process.uptime": "Date.now()",
  "process.cpuUsage": "a step",
  "process.memoryUsage": "a step",
  "process.env": "the workflow's input, or a step that reads it",
  "process:env": "the workflow's input, or a step that reads it",
  "process.pid": "a step",
  "performance.timeOrigin": "workflowInfo().startedAt",
  WeakRef: "a plain reference",
  FinalizationRegistry: "a plain reference",
  setInterval: "a loop with sleep()",
  setImmediate: "sleep()",
  "timers:setInterval": "a loop with sleep()",
  "timers:setImmediate": "sleep()",
};
const CRYPTO_CHANCE =
  /^crypto[:.](?:randomBytes|randomInt|randomFill|randomFillSync|generateKey\w*|pseudoRandomBytes)$/;

export const noClockOrChance: Rule = ruleOver(
  "Workflow code takes time and chance from its history only",
  (node, kind, code) => {
    if (!inWorkflow(kind) || !isOutermost(node)) return undefined;
    const name = foreignName(code, node);
    if (name === undefined) return undefined;
    const instead = CRYPTO_CHANCE.test(name) ? "crypto.randomUUID() or Math.random()" : own(CHANCES, name);
    if (instead === undefined) return undefined;
    return `${spoken(name)} gives another value at each replay of this workflow. Use ${instead}.`;
  },
);

const IO_GLOBALS = new Set(["fetch", "WebSocket", "EventSource", "XMLHttpRequest"]);
const IO_MODULES = new Set([
  ...["fs", "fs/promises", "net", "tls", "http", "https", "http2", "dgram", "dns", "dns/promises", "child_process"],
  ...["worker_threads", "cluster", "readline", "readline/promises", "repl", "sqlite", "inspector"],
]);

export const noIo: Rule = ruleOver("Workflow code touches the outside world in steps only", (node, kind, code) => {
  if (!inWorkflow(kind) || !isOutermost(node)) return undefined;
  const name = foreignName(code, node);
  if (name === undefined) return undefined;
  if (name.startsWith("timers/promises:")) {
    return `${spoken(name)} is a timer that a restart forgets. Use await sleep(…), which is kept in the history.`;
  }
  if (!IO_GLOBALS.has(name) && !IO_MODULES.has(name.split(":")[0] ?? "")) return undefined;
  // The module itself is no use of it; a local or a global may have a module's name.
  if (!IO_GLOBALS.has(name) && !/:./.test(name)) return undefined;
  return `${spoken(name)} is called again at each replay of this workflow. Wrap it: await step("…", () => ${spoken(name)}(…)).`;
});

/** What combines branches, and gives a promise for all of it. */
const COMBINING = ["withTimeout", "race", "waitForAny", "map", "parallel", "poll", "saga"];
const PROMISED = new Set([
  ...["step", "transaction", "sleep", "sleepUntil", "condition", "nonCancellable", "receive", "executeChild"],
  "createWebhook",
  ...COMBINING,
]);

export const noFloating: Rule = ruleOver("What workflow code asks for is awaited", (node, kind, code) => {
  if (kind !== "workflow" || node.type !== "ExpressionStatement") return undefined;
  const call = promiseLeftAlone(node.expression);
  const name = call === undefined ? undefined : everstepCall(code, call);
  if (name === undefined || !(PROMISED.has(name) || name === "defined step")) return undefined;
  return (
    `Nobody waits for this ${said(name)}: when the workflow ends first it is taken back, and its failure ends the run. ` +
    "Write await before it, collect it for Promise.all, or say with void that this is meant."
  );
});

/** The call at the bottom of `call().then(…).finally(…)`; undefined when `.catch(…)` is there, too. */
function promiseLeftAlone(value: unknown): Node | undefined {
  const call = unwrap(value);
  if (!isNode(call) || call.type !== "CallExpression") return undefined;
  const callee = unwrap(call.callee);
  if (!isNode(callee) || callee.type !== "MemberExpression") return call;
  const method = propertyOf(callee);
  if (method === "then" || method === "finally") return promiseLeftAlone(callee.object);
  return method === "catch" ? undefined : call;
}

const COMMANDS = new Set([
  ...["step", "transaction", "sleep", "sleepUntil", "condition", "nonCancellable", "receive", "handle", "handle query"],
  ...["defined step", "patched", "deprecatePatch", "upsertAttributes", "upsertMemo", "cancelScope"],
  ...["startChild", "executeChild", "continueAsNew", "createWebhook", "tellEntity", "endEntity"],
  ...COMBINING,
]);

export const noNestedCommands: Rule = ruleOver(
  "Steps, query handlers and predicates of conditions ask for nothing",
  (node, kind, code) => {
    if (kind === "workflow") return undefined;
    const name = everstepCall(code, node);
    if (name === undefined) return undefined;
    if (kind === "readOnly") {
      if (!COMMANDS.has(name)) return undefined;
      return `A ${said(name)} in a query handler or a condition throws COMMAND_IN_READ_ONLY: they may only look at the run's state. Ask for it in the workflow function.`;
    }
    if (name === "log")
      return "log throws OUTSIDE_WORKFLOW in a step. Use the log that the step is given: ({ log }) => …";
    if (!COMMANDS.has(name) && name !== "workflowInfo") return undefined;
    return `A ${said(name)} in a step throws OUTSIDE_WORKFLOW: a step is plain code, tried as a whole. Call it in the workflow function, before or after this step.`;
  },
);

export const noDynamicImport: Rule = ruleOver("Workflow code loads no modules", (node, kind) => {
  if (!inWorkflow(kind) || node.type !== "ImportExpression") return undefined;
  return "import() is a promise that no history knows of: the run is blocked with FOREIGN_WAIT if the module is not there at once. Import it at the top of the file, or in a step.";
});

/** Of `process.hrtime.bigint` only the part that is known is told of, and a property's own name is no use of a global. */
function isOutermost(node: Node): boolean {
  if (node.type === "MemberExpression") return true;
  if (node.type !== "Identifier") return false;
  return !isPropertyName(node);
}

function own(table: Readonly<Record<string, string>>, key: string): string | undefined {
  return Object.hasOwn(table, key) ? table[key] : undefined;
}

/** As people write it: `fs:readFile` is `readFile`. */
function spoken(name: string): string {
  return name.split(":").at(-1) || name.replace(":", "");
}

function said(call: string): string {
  return call === "defined step" ? "step" : call === "handle query" ? "handle()" : `${call}()`;
}

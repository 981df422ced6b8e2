// The rules. Each looks at one node of workflow code at a time and says what is wrong, and what to write instead.

import { asyncFunctionCalled, everstepCall } from "./calls.ts";
import { foreignCall, foreignName } from "./foreign.ts";
import type { CodeKind } from "./given-code.ts";
import { isIoModuleOfNode, isIoPackage } from "./io-modules.ts";
import type { Verb } from "./language.ts";
import { type Rule, ruleOver } from "./rule.ts";
import {
  argumentsOf,
  isFunction,
  isNode,
  isPropertyName,
  type Node,
  propertyOf,
  type SourceCode,
  unwrap,
} from "./syntax.ts";

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

export const noIo: Rule = ruleOver("Workflow code touches the outside world in steps only", (node, kind, code) => {
  if (!inWorkflow(kind)) return undefined;
  const called = foreignCall(code, node);
  if (called !== undefined) {
    const { module, spoken, isOfMade } = called;
    // Of Node's own, what is imported is told of wherever it is named, below.
    const isIo = isIoPackage(module) || (isOfMade && isIoModuleOfNode(module));
    return isIo && !ONLY_LOOKS.test(spoken) ? repeated(spoken) : undefined;
  }
  const name = isOutermost(node) ? foreignName(code, node) : undefined;
  if (name === undefined) return undefined;
  if (name.startsWith("timers/promises:")) {
    return `${spoken(name)} is a timer that a restart forgets. Use await sleep(…), which is kept in the history.`;
  }
  // The module itself is no use of it; a local or a global may have a module's name.
  const isUsed = IO_GLOBALS.has(name) || (isIoModuleOfNode(name.split(":")[0] ?? "") && /:./.test(name));
  return isUsed ? repeated(spoken(name)) : undefined;
});

function repeated(name: string): string {
  return `${name} is called again at each replay of this workflow. Wrap it: await step("…", () => ${name}(…)).`;
}

/** What a package of that kind has for telling its errors apart: `isAxiosError`, `new DatabaseError`. */
const ONLY_LOOKS = /(?:^|\.)(?:is[A-Z]\w*|\w*(?:Error|Exception))$/;

const UNAWAITED: Readonly<Record<NonNullable<Verb["unawaited"]>, string>> = {
  takenBack: "when the workflow ends first it is taken back, and its failure ends the run",
  sent: "the workflow goes on before the other run's mailbox has it, and its failure ends the run",
  lost: "the transaction may end before it, and its failure is not the step's",
};

export const noFloating: Rule = ruleOver("What workflow code asks for is awaited", (node, kind, code) => {
  if (node.type !== "ExpressionStatement") return undefined;
  const loop = kind === "workflow" ? asyncLoopOf(node.expression) : undefined;
  if (loop !== undefined) {
    return `${loop}() drops the promises that its function gives: nobody waits for them. Use for … of with await, or await map(…).`;
  }
  const reasons = promisesLeftAlone(node.expression).map((call) => whyAwaited(code, call, kind));
  const reason = reasons.find((each) => each !== undefined);
  if (reason === undefined) return undefined;
  const instead =
    kind === "workflow"
      ? "Write await before it, collect it for Promise.all, or say with void that this is meant."
      : "Write await before it.";
  return `Nobody waits for this ${reason}. ${instead}`;
});

function whyAwaited(code: SourceCode, call: Node, kind: CodeKind): string | undefined {
  const called = everstepCall(code, call);
  const unawaited = called?.verb.unawaited;
  if (called !== undefined && unawaited !== undefined) {
    // Where code only looks it may not ask at all.
    const counts = kind === (unawaited === "lost" ? "step" : "workflow");
    return counts ? `${called.name}(): ${UNAWAITED[unawaited]}` : undefined;
  }
  if (kind !== "workflow") return undefined;
  const given = asyncFunctionCalled(code, call) ?? combinatorCalled(code, call);
  return given && `${given}(): ${UNAWAITED.takenBack}`;
}

/** `Promise.all` and its kin. */
function combinatorCalled(code: SourceCode, call: Node): string | undefined {
  const callee = unwrap(call.callee);
  const name = isNode(callee) ? foreignName(code, callee) : undefined;
  return name !== undefined && /^Promise\.(?:all|allSettled|any|race)$/.test(name) ? name : undefined;
}

/** The calls at the bottom of `a && call().then(…).finally(…)`; not one that has a `.catch(…)`, or a `.then(…, …)` of both kinds. */
function promisesLeftAlone(value: unknown): Node[] {
  const node = unwrap(value);
  if (!isNode(node)) return [];
  if (node.type === "LogicalExpression") return promisesLeftAlone(node.right);
  if (node.type === "ConditionalExpression")
    return [...promisesLeftAlone(node.consequent), ...promisesLeftAlone(node.alternate)];
  if (node.type !== "CallExpression") return [];
  const callee = unwrap(node.callee);
  if (!isNode(callee) || callee.type !== "MemberExpression") return [node];
  switch (propertyOf(callee)) {
    case "then":
    case "finally":
      return argumentsOf(node).length > 1 ? [] : promisesLeftAlone(callee.object);
    case "catch":
      return [];
    case "forEach":
    case "map":
      return resultsOf(argumentsOf(node)[0]);
    default:
      return [node];
  }
}

/** "forEach" for `list.forEach(async …)`, and "map" where nobody takes what it gives. */
function asyncLoopOf(value: unknown): string | undefined {
  const call = unwrap(value);
  const callee = isNode(call) && call.type === "CallExpression" ? unwrap(call.callee) : undefined;
  if (!isNode(call) || !isNode(callee) || callee.type !== "MemberExpression") return undefined;
  const method = propertyOf(callee);
  const body = unwrap(argumentsOf(call)[0]);
  const isAsync = isFunction(body) && body.async === true;
  return isAsync && (method === "forEach" || method === "map") ? method : undefined;
}

/** What `forEach` is given back, and drops. */
function resultsOf(value: unknown): Node[] {
  const body = unwrap(value);
  return isFunction(body) && body.expression === true ? promisesLeftAlone(body.body) : [];
}

export const noNestedCommands: Rule = ruleOver(
  "Steps, query handlers, validators and predicates of conditions ask for nothing",
  (node, kind, code) => {
    if (kind === "workflow") return undefined;
    const called = everstepCall(code, node);
    if (called === undefined || called.verb.where === "anywhere") return undefined;
    const { name, verb } = called;
    if (kind === "readOnly") {
      if (verb.where === "run") return undefined;
      return `A ${name}() in a query handler, a validator or a condition throws COMMAND_IN_READ_ONLY: they may only look at the run's state. Ask for it in the workflow function.`;
    }
    if (called.of === "WorkflowLog")
      return "log throws OUTSIDE_WORKFLOW in a step. Use the log that the step is given: ({ log }) => …";
    return `A ${name}() in a step throws OUTSIDE_WORKFLOW: a step is plain code, tried as a whole. Call it in the workflow function, before or after this step.`;
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

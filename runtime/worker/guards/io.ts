// Files, sockets, processes: refused in workflow code, with the advice to use a step.

import nodeChildProcess from "node:child_process";
import nodeDgram from "node:dgram";
import nodeDns from "node:dns";
import nodeFs from "node:fs";
import nodeNet from "node:net";
import { EverstepError } from "../../../sdk/protocol/errors.ts";
import { currentAmbient } from "../../../sdk/workflow/ambient.ts";

type Functions = Record<string, unknown>;

const FILES = [
  ...["access", "appendFile", "chmod", "chown", "copyFile", "cp", "lstat", "mkdir", "mkdtemp", "open", "opendir"],
  ...["readFile", "readdir", "readlink", "realpath", "rename", "rm", "rmdir", "stat", "symlink", "truncate", "unlink"],
  ...["utimes", "watch", "writeFile"],
];

export function guardIo(): void {
  guard(globalThis, ["fetch"]);
  guard(nodeFs, [
    ...FILES,
    ...FILES.map((name) => `${name}Sync`),
    "createReadStream",
    "createWriteStream",
    "exists",
    "existsSync",
    "watchFile",
  ]);
  guard(nodeFs.promises, FILES);
  guard(nodeNet.Socket.prototype, ["connect"]);
  guard(nodeNet.Server.prototype, ["listen"]);
  guard(nodeDgram, ["createSocket"]);
  guard(nodeDns, ["lookup", "resolve", "resolve4", "resolve6"]);
  guard(nodeDns.promises, ["lookup", "resolve", "resolve4", "resolve6"]);
  guard(nodeChildProcess, ["exec", "execFile", "execFileSync", "execSync", "fork", "spawn", "spawnSync"]);
}

function guard(owner: object, names: readonly string[]): void {
  const functions = owner as Functions;
  for (const name of names) {
    const real = functions[name];
    if (typeof real !== "function") continue;
    const guarded = function (this: unknown, ...values: unknown[]): unknown {
      refuseInWorkflow(name);
      return new.target === undefined ? Reflect.apply(real, this, values) : Reflect.construct(real, values, new.target);
    };
    // Their own properties stay, such as `realpath.native` and the custom promisified form of `exists`.
    Object.defineProperties(guarded, Object.getOwnPropertyDescriptors(real));
    functions[name] = guarded;
  }
}

function refuseInWorkflow(name: string): void {
  const ambient = currentAmbient();
  if (ambient?.kind !== "workflow" || isLoadingModule()) return;
  const { info } = ambient.run;
  const message = `Workflow code of run ${info.workflowId} called ${name}(). A replay would repeat it and may see another answer: wrap it in step("…", () => ${name}(…)).`;
  throw new EverstepError("IO_IN_WORKFLOW", message, { details: { runId: info.runId, call: name } });
}

/** A module that workflow code imports lazily is read by Node's loader, through these same functions. */
function isLoadingModule(): boolean {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 30;
  const stack = new Error().stack ?? "";
  Error.stackTraceLimit = stackTraceLimit;
  return stack.includes("node:internal/modules/");
}

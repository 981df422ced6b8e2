// Ends a server when the process that started it is gone, however it went: SIGKILL runs no exit hook, and a server left
// behind would hold its data directory and its port. The keeper is a tiny process of its own session that holds one end
// of a pipe; the kernel closes the other end when the parent dies. It must outlive Ctrl+C, which is why it is detached.

import { spawn } from "node:child_process";

export interface Kept {
  readonly pid: number;
  /** What tells the server to stop well; SIGKILL follows when it has not gone in ten seconds. */
  readonly signal: NodeJS.Signals;
  /** Removed once the server is gone. */
  readonly removeDirs?: readonly string[];
}

/** Lets the keeper go without harm: the server has ended by itself, or its owner ended it. */
export type ReleaseKeeper = () => void;

const KEEPER_SOURCE = `
const { pid, signal, removeDirs } = JSON.parse(process.argv[1]);
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(name, () => {});
const alive = () => { try { process.kill(pid, 0); return true; } catch (error) { return error.code === "EPERM"; } };
const send = (name) => { try { process.kill(pid, name); } catch {} };
let released = false;
process.stdin.on("data", () => { released = true; process.exit(0); });
process.stdin.on("error", () => {});
process.stdin.on("close", () => {
  if (released) return;
  send(signal);
  const started = Date.now();
  const timer = setInterval(() => {
    if (alive() && Date.now() - started < 10000) return;
    clearInterval(timer);
    if (alive()) send("SIGKILL");
    for (const dir of removeDirs) require("node:fs").rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
  }, 20);
});
process.stdin.resume();
`;

export function keepServer({ pid, signal, removeDirs = [] }: Kept): ReleaseKeeper {
  const keeper = spawn(process.execPath, ["-e", KEEPER_SOURCE, JSON.stringify({ pid, signal, removeDirs })], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
    windowsHide: true,
    cwd: "/",
    env: {},
  });
  keeper.on("error", () => {});
  keeper.stdin.on("error", () => {});
  keeper.unref();
  if ("unref" in keeper.stdin && typeof keeper.stdin.unref === "function") keeper.stdin.unref();
  return () => {
    keeper.stdin.end("release\n");
  };
}

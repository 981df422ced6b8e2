// Loaded before every test file. A test fails when something it asked to have watched is still open at its end; a file
// fails when it leaves sockets, servers, child processes or timers behind, whoever opened them. What leaks in a test
// leaks in a service, and there it is found by nobody.

import { afterAll, afterEach } from "vitest";
import { eventually } from "./eventually.ts";

/** Kinds of process.getActiveResourcesInfo() and how many more than at the start are the test runner's own. */
const ALLOWED = new Map([
  ["TCPSocketWrap", 0],
  ["TCPServerWrap", 0],
  ["TCPWrap", 0],
  ["ConnectWrap", 0],
  ["ProcessWrap", 0],
  ["Timeout", 1], // the running test's own time limit
]);

const atStart = countHandles();
const watched = new Map<string, () => boolean>();

/** Has the check look at the end of this test whether it was closed: a worker, a pool, a lease. */
export function watchOpen(name: string, isOpen: () => boolean): void {
  watched.set(`${name} #${watched.size + 1}`, isOpen);
}

afterEach(() => {
  const open = [...watched].filter(([, isOpen]) => isOpen()).map(([name]) => name);
  watched.clear();
  if (open.length > 0) throw new Error(`The test left open: ${open.join(", ")}.`);
});

// Set up before the file's own hooks, so it runs after them: what they close is closed by now, or about to be.
afterAll(async () => {
  await eventually("the file has closed what it opened", () => expectNothing(leakedHandles()), { withinMs: 3_000 });
});

function countHandles(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

function leakedHandles(): string[] {
  const now = countHandles();
  return [...ALLOWED].flatMap(([kind, allowed]) => {
    const more = (now.get(kind) ?? 0) - (atStart.get(kind) ?? 0) - allowed;
    return more > 0 ? [`${more} ${kind}`] : [];
  });
}

function expectNothing(leaked: readonly string[]): true {
  if (leaked.length > 0) throw new Error(`still open: ${leaked.join(", ")}`);
  return true;
}

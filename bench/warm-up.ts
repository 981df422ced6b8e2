// Before what is measured one at a time: code that no compiler has seen yet says little about a process that has been up for
// a minute. It takes some two thousand short runs until this one is compiled.

const MOST = 3_000;
const MOST_MS = 5_000;

/** Calls `work` one time after the other, as often as a few seconds allow: an engine that answers once a second knows its pace. */
export async function warmUp(work: (index: number) => Promise<unknown>): Promise<void> {
  const beganAt = performance.now();
  for (let index = 0; index < MOST && performance.now() - beganAt < MOST_MS; index++) await work(index);
}

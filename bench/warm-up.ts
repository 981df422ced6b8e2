// Before what is measured: code that no compiler has seen yet says little about a process that has been up for a minute. It takes
// some two thousand short runs, or ten thousand starts, until this one's is compiled.

const MOST_MS = 5_000;

/**
 * Calls `work` one time after the other, `most` times or as often as a few seconds allow: an engine that answers once a second
 * knows its pace.
 */
export async function warmUp(most: number, work: (index: number) => Promise<unknown>): Promise<void> {
  const beganAt = performance.now();
  for (let index = 0; index < most && performance.now() - beganAt < MOST_MS; index++) await work(index);
}

/** Of short runs or signals, one at a time. */
export const SHORT_ONES = 3_000;

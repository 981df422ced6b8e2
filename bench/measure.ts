// Figures out of samples. Medians and ratios, because machines are noisy and shared.

export interface Spread {
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

export function spreadOf(samples: readonly number[]): Spread {
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (part: number) => sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), max: sorted.at(-1) ?? Number.NaN };
}

export function medianOf(samples: readonly number[]): number {
  return spreadOf(samples).p50;
}

export async function timed<T>(work: () => Promise<T>): Promise<{ readonly ms: number; readonly value: T }> {
  const startedAt = performance.now();
  const value = await work();
  return { ms: performance.now() - startedAt, value };
}

/** An engine that answers once a second is known well enough by fewer samples. */
const LONGEST_MS = 20_000;
const FEWEST = 20;

/** How long each of `count` calls took, one after the other; of fewer where they take long. */
export async function samplesOf(count: number, take: (index: number) => Promise<number>): Promise<number[]> {
  const samples: number[] = [];
  const beganAt = performance.now();
  for (let index = 0; index < count; index++) {
    if (performance.now() - beganAt > LONGEST_MS && index >= Math.min(count, FEWEST)) break;
    samples.push(await take(index));
  }
  return samples;
}

/** Calls `work` for each index, `most` at a time. */
export async function inFlight(count: number, most: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(most, count) }, lane));
}

export function round(value: number, digits = 2): number {
  const factor = 10 ** digits;
  return Math.round(value * factor) / factor;
}

/** Ms since the epoch, to be compared between the processes of one machine. */
export const now = (): number => performance.timeOrigin + performance.now();

export const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The heap in use after a collection, where the process was started with --expose-gc. */
export function memoryInUse(): number {
  (globalThis as { gc?: () => void }).gc?.();
  return process.memoryUsage().heapUsed;
}

/** The slope of the straight line nearest to these points. */
export function slopeOf(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const middleX = mean(points.map(([x]) => x));
  const middleY = mean(points.map(([, y]) => y));
  const spread = points.reduce((sum, [x]) => sum + (x - middleX) ** 2, 0);
  return points.reduce((sum, [x, y]) => sum + (x - middleX) * (y - middleY), 0) / spread;
}

/** Pauses in ms without a rhythm, 6 on average, so that no poll is always just right or just wrong. */
export function gapOf(index: number): number {
  return (index * 7) % 13;
}

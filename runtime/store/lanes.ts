// Where runs wait to be claimed. A run of a workflow without versions waits in its queue; a run of a version waits in a lane
// of its queue that is for this version alone. A worker reads the lanes of its queues that are for code it has, so nobody
// claims a run of a version that he does not have, however many such runs there are, and claims are made as ever: a lane
// is to them just another queue. Names hold no control characters, so no queue is taken for a lane.

/** Between the parts of a lane's name. */
export const LANE_MARK = "\u001d";

/** One version of one workflow; null for the workflow without a version. */
export interface VersionKey {
  readonly workflow: string;
  readonly version: string | null;
}

export function laneOf(queue: string, { workflow, version }: VersionKey): string {
  return version === null ? queue : `${queue}${LANE_MARK}${workflow}${LANE_MARK}${version}`;
}

/** The lanes for this code in these queues. The queues themselves are for the workflows without versions. */
export function lanesOf(queues: readonly string[], code: readonly VersionKey[]): string[] {
  return [...new Set(code.flatMap((key) => queues.map((queue) => laneOf(queue, key))))];
}

export function queueOfLane(lane: string): string {
  const end = lane.indexOf(LANE_MARK);
  return end < 0 ? lane : lane.slice(0, end);
}

export function versionOfLane(lane: string): string | null {
  const mark = lane.lastIndexOf(LANE_MARK);
  return mark < 0 ? null : lane.slice(mark + 1);
}

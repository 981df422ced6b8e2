// Lanes, as SQL takes them apart and puts them together. See `../lanes.ts`.

import { LANE_MARK } from "../lanes.ts";

const MARK = `E'\\x${LANE_MARK.charCodeAt(0).toString(16).padStart(2, "0")}'`;

/** The queue of a lane. */
export function queueOf(lane: string): string {
  return `split_part(${lane}, ${MARK}, 1)`;
}

/** The version of a lane; null for none. */
export function versionOf(lane: string): string {
  return `nullif(split_part(${lane}, ${MARK}, 3), '')`;
}

/** The lane of a run's queue, workflow and version. */
export function laneOf(queue: string, workflow: string, version: string): string {
  return `coalesce(${queue} || ${MARK} || ${workflow} || ${MARK} || ${version}, ${queue})`;
}

/** Whether a lane is of this queue. */
export function isOfQueue(lane: string, queue: string): string {
  return `(${lane} = ${queue} or starts_with(${lane}, ${queue} || ${MARK}))`;
}

// A client, a store in memory and real worker loops for one test, closed at its end.

import { onTestFinished } from "vitest";
import { buildHouse, type House, type HouseOptions } from "./memory-house.ts";

export { type House, type HouseOptions, historyOf, typesOf } from "./memory-house.ts";

export function openHouse(options: HouseOptions = {}): House {
  return buildHouse(options, onTestFinished);
}

// Every scenario that runs an engine, in the order of the tables.

import type { Scenario } from "../scenario.ts";
import { fanOut } from "./fan-out.ts";
import { latency } from "./latency.ts";
import { sequential } from "./sequential.ts";
import { signals } from "./signals.ts";
import { sleepers } from "./sleepers.ts";
import { starts } from "./starts.ts";
import { throughput } from "./throughput.ts";

export const SCENARIOS: readonly Scenario[] = [throughput, latency, sequential, fanOut, signals, starts, sleepers];

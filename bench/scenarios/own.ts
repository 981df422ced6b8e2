// Every scenario that only Everstep runs, in the order of the tables.

import type { OwnScenario } from "../scenario.ts";
import { cpu } from "./cpu.ts";
import { guards } from "./guards.ts";
import { memory } from "./memory.ts";
import { notify } from "./notify.ts";
import { recovery } from "./recovery.ts";
import { timers } from "./timers.ts";
import { writeCost } from "./write-cost.ts";

export const OWN_SCENARIOS: readonly OwnScenario[] = [recovery, timers, memory, writeCost, cpu, notify, guards];

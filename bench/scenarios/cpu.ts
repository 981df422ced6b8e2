// Where the time of a throughput run goes: CPU seconds of this process, worker and client together, and of the server's
// processes, where those are of this machine.

import everstep from "../engines/everstep.ts";
import { round, timed } from "../measure.ts";
import type { Figure, OwnScenario } from "../scenario.ts";
import { type ServerCpu, watchServerCpu } from "../server-cpu.ts";

const RUNS = 10_000;
const WARM_UP = 2_000;
const STEPS = 5;

export const cpu: OwnScenario = {
  name: "cpu",
  title: `CPU of Node and of Postgres over ${RUNS.toLocaleString("en-US")} runs of ${STEPS} steps`,
  async run(place) {
    const engine = everstep(place);
    await engine.start();
    try {
      await engine.runMany("warm-up", WARM_UP, STEPS);
      const server = await watchServerCpu(place.databaseUrl);
      const before = process.cpuUsage();
      const { ms } = await timed(() => engine.runMany("measured", RUNS, STEPS));
      const { user, system } = process.cpuUsage(before);
      return figures({ ms, nodeMs: (user + system) / 1000, server });
    } finally {
      await engine.stop();
    }
  },
};

async function figures(found: { ms: number; nodeMs: number; server: ServerCpu | undefined }): Promise<Figure[]> {
  const { ms, nodeMs, server } = found;
  const perStep = (cpuMs: number) => round((cpuMs * 1000) / (RUNS * STEPS), 1);
  const node: Figure[] = [
    { name: "took", value: round(ms / 1000), unit: "s" },
    { name: "Node", value: round(nodeMs / 1000), unit: "s of CPU" },
    { name: "Node per step", value: perStep(nodeMs), unit: "µs" },
  ];
  if (server === undefined) return node;
  const { backendsMs, othersMs } = await server.since();
  return [
    ...node,
    { name: "Postgres, backends", value: round(backendsMs / 1000), unit: "s of CPU" },
    { name: "Postgres, its other processes", value: round(othersMs / 1000), unit: "s of CPU" },
    { name: "Postgres per step", value: perStep(backendsMs + othersMs), unit: "µs" },
  ];
}

// The comparison out of the measurements: medians over rounds, beside the floor of the same minutes and the best peer.

import { medianOf, round } from "../measure.ts";
import type { Figure } from "../scenario.ts";
import { type Contestant, isComparable } from "./roster.ts";

export interface Floor {
  /** One row per transaction, 16 clients, transactions per second; undefined without pgbench. */
  readonly inserts: number | undefined;
  /** One insert from Node on one connection, ms. */
  readonly commitMs: number;
}

export interface Measurement {
  readonly scenario: string;
  readonly engine: string;
  readonly floor: Floor;
  readonly figures: readonly Figure[];
}

/** One line of the comparison: a figure of a scenario, for one engine. */
export interface Line {
  readonly scenario: string;
  readonly engine: string;
  readonly name: string;
  readonly unit: string;
  /** The median of the rounds. */
  readonly value: number;
  readonly rounds: readonly number[];
  /** Rates: part of what pgbench reaches. Times: multiples of a single commit. */
  readonly toFloor: number | undefined;
  /** How many times better than the best peer; below 1 is worse. */
  readonly toBestPeer: number | undefined;
}

export const isRate = (unit: string): boolean => unit.endsWith("/s");

export function compare(measurements: readonly Measurement[]): Line[] {
  const groups = new Map<string, { figure: Figure; scenario: string; engine: string; samples: Sample[] }>();
  for (const { scenario, engine, floor, figures } of measurements) {
    for (const figure of figures) {
      const key = JSON.stringify([scenario, figure.name, engine]);
      const group = groups.get(key) ?? { figure, scenario, engine, samples: [] };
      group.samples.push({ value: figure.value, toFloor: toFloor(scenario, figure, floor) });
      groups.set(key, group);
    }
  }
  const lines = [...groups.values()].map(({ figure, scenario, engine, samples }) => {
    const ratios = samples.flatMap(({ toFloor }) => (toFloor === undefined ? [] : [toFloor]));
    return {
      scenario,
      engine,
      name: figure.name,
      unit: figure.unit,
      value: medianOf(samples.map(({ value }) => value)),
      rounds: samples.map(({ value }) => value),
      toFloor: ratios.length === 0 ? undefined : round(medianOf(ratios), 3),
    };
  });
  return lines.map((line) => ({ ...line, toBestPeer: toBestPeer(line, lines) }));
}

interface Sample {
  readonly value: number;
  readonly toFloor: number | undefined;
}

function toFloor(scenario: string, { value, unit }: Figure, floor: Floor): number | undefined {
  // Lateness has no floor in a commit: nothing needs to be written for a timer to be on time.
  if (scenario === "sleepers") return undefined;
  if (isRate(unit)) return floor.inserts === undefined ? undefined : value / floor.inserts;
  return unit === "ms" ? value / floor.commitMs : undefined;
}

type Value = Pick<Line, "scenario" | "engine" | "name" | "unit" | "value">;

function toBestPeer(line: Value, lines: readonly Value[]): number | undefined {
  const others = lines.filter(
    ({ scenario, name, engine }) =>
      scenario === line.scenario && name === line.name && engine !== line.engine && isComparable(engine),
  );
  if (others.length === 0 || line.value <= 0) return undefined;
  const values = others.map(({ value }) => value);
  return round(isRate(line.unit) ? line.value / Math.max(...values) : Math.min(...values) / line.value, 2);
}

export interface Gap {
  readonly scenario: string;
  readonly engine: string;
  readonly reason: string;
  /** False when it only misses a part of the scenario. */
  readonly isWhole: boolean;
}

export function toMarkdown(lines: readonly Line[], gaps: readonly Gap[], contestants: readonly Contestant[]): string {
  const header = ["figure", ...contestants.map(({ title, version }) => `${title} ${version}`), "Everstep to best peer"];
  const figures = new Map(lines.map((line) => [JSON.stringify([line.scenario, line.name]), line]));
  const rows = [...figures.values()].map(({ scenario, name, unit }) => {
    const ofFigure = lines.filter((line) => line.scenario === scenario && line.name === name);
    const cells = contestants.map(({ name: engine }) => {
      const line = ofFigure.find((candidate) => candidate.engine === engine);
      return line === undefined ? "–" : cellOf(line);
    });
    const ratio = ofFigure.find(({ engine }) => engine === "everstep")?.toBestPeer;
    return [`${scenario}: ${name}, ${unit}`, ...cells, ratio === undefined ? "" : `${ratio} ×`];
  });
  const table = [header, header.map((_, index) => (index === 0 ? "---" : "---:")), ...rows];
  return [
    ...table.map((row) => `| ${row.join(" | ")} |`),
    "",
    "In brackets: for rates, the part of `pgbench` with 16 clients; for times, multiples of a single commit; both measured in the same minutes.",
    "",
    ...contestants.map(({ title, tuning, nodeVersion }) => `- ${title}: ${tuning}; Node ${nodeVersion}.`),
    ...reasonsOf(gaps, contestants),
  ].join("\n");
}

function cellOf({ value, toFloor }: Line): string {
  const shown = value.toLocaleString("en-US", { maximumFractionDigits: 2 });
  return toFloor === undefined ? shown : `${shown} (${toFloor})`;
}

/** Why cells are empty: each reason once, with everybody and everything that it is about. */
function reasonsOf(gaps: readonly Gap[], contestants: readonly Contestant[]): string[] {
  const byReason = new Map<string, Map<string, Set<string>>>();
  for (const { engine, reason, scenario } of gaps) {
    const title = contestants.find(({ name }) => name === engine)?.title ?? engine;
    const engines = byReason.get(reason) ?? new Map<string, Set<string>>();
    byReason.set(reason, engines.set(title, (engines.get(title) ?? new Set()).add(scenario)));
  }
  return [...byReason].map(([reason, engines]) => {
    const about = [...engines].map(([title, scenarios]) => `${title} (${[...scenarios].join(", ")})`);
    return `- No figure for ${about.join(", ")}: ${reason}.`;
  });
}

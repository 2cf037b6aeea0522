import type { Table } from './benchmark.js';
import { figure } from './format.js';

/** What one side's program prints: milliseconds a step, of all and of each operator without those that it calls. */
export interface MeasuredOperators {
  readonly ms: number;
  readonly operators: readonly (readonly [name: string, ms: number])[];
}

/** Where the time of a work goes on both sides, in milliseconds. */
export interface OperatorTimes {
  readonly work: string;
  readonly operator: string;
  readonly oursMs: number;
  /** Null where there is no peer. */
  readonly theirsMs: number | null;
}

const shown = 7;
const others = 'other operators';
const between = 'between operators';

/** The operators that take most of the time on either side; all others, and what none takes, add up to two more rows. */
export function operatorTimes(
  work: string,
  ours: MeasuredOperators,
  theirs: MeasuredOperators | null,
): OperatorTimes[] {
  const [own, peers] = [byName(ours), theirs === null ? null : byName(theirs)];
  const all = [...new Set([...own.keys(), ...(peers?.keys() ?? [])])];
  const most = (name: string): number => Math.max(own.get(name) ?? 0, peers?.get(name) ?? 0);
  all.sort((a, b) => most(b) - most(a));
  const named = all.slice(0, shown);
  const row = (operator: string, of: (times: ReadonlyMap<string, number>, ms: number) => number): OperatorTimes => ({
    ...{ work, operator, oursMs: of(own, ours.ms) },
    theirsMs: peers === null || theirs === null ? null : of(peers, theirs.ms),
  });
  return [
    ...named.map((name) => row(name, (times) => times.get(name) ?? 0)),
    row(others, (times) => sum([...times].filter(([name]) => !named.includes(name)))),
    row(between, (times, ms) => Math.max(0, ms - sum([...times]))),
  ];
}

export function operatorTables(title: string, rows: readonly OperatorTimes[]): Table[] {
  const wholes = new Map<string, number>();
  for (const { work, oursMs } of rows) wholes.set(work, (wholes.get(work) ?? 0) + oursMs);
  return [
    {
      title,
      columns: ['work', 'operator', 'Shallows, ms', 'of its step', 'PyTorch eager, ms'],
      rows: rows.map(({ work, operator, oursMs, theirsMs }) => [
        ...[work, operator, timeText(oursMs), `${((100 * oursMs) / (wholes.get(work) ?? 0)).toFixed(1)} %`],
        theirsMs === null ? '–' : timeText(theirsMs),
      ]),
    },
  ];
}

const timeText = (ms: number): string => (ms === 0 ? '–' : figure(ms));
const sum = (entries: readonly (readonly [name: string, ms: number])[]): number =>
  entries.reduce((total, [, ms]) => total + ms, 0);

/** What surrounds a node of the backward pass belongs to it: the sum of gradients that meet there. */
function byName({ operators }: MeasuredOperators): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  for (const [name, ms] of operators) {
    const node = name.replace('autograd::engine::evaluate_function: ', '');
    times.set(node, (times.get(node) ?? 0) + ms);
  }
  return times;
}

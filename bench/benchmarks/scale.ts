import type { Benchmark, Context, GoalLine } from '../benchmark.js';
import { figure, ratioText, spreadText } from '../format.js';
import { runJson } from '../interleave.js';
import { ours } from '../programs.js';
import { fitLine, median, type Spread, spreadOf } from '../statistics.js';

/** A point of a curve. */
interface Point {
  readonly curve: string;
  readonly size: number;
  /** What is measured, with its unit. */
  readonly figure: string;
  readonly measured: Spread | null;
  readonly expected: number;
  /** Measured ÷ expected, over the rounds. */
  readonly ratio: Spread | null;
}

interface Timed {
  readonly size: number;
  readonly cost: number;
  readonly times: readonly number[];
}

const DEPTH = 'depth, layers of a narrow CIFAR ResNet';
const PROCESSES = 'processes, ResNet-56, batch 128, linear drop to 0.5, a core each';
const curves = [
  { kind: 'depth', title: DEPTH, sizes: [20, 56, 110, 218, 1202], quick: [20, 56] },
  { kind: 'width', title: 'width, features of a layer of an MLP', sizes: [256, 512, 1024, 2048], quick: [128, 256] },
  { kind: 'batch', title: 'batch, rows for a CIFAR ResNet-20', sizes: [8, 16, 32, 64, 128], quick: [2, 4] },
] as const;

/** How costs grow. */
export const scale: Benchmark<Point> = {
  name: 'scale',
  about:
    'How costs grow. Expected are straight lines: the one of least relative squares through all points of a curve for steps, ' +
    'as many times the smallest as there are more sites for plans, the same at any length for the journal, half the time ' +
    'of one process for two.',
  run: (context) => [...steps(context), ...plans(context), ...journal(context), ...processes(context)],
  tables: (rows) =>
    [...new Set(rows.map(({ curve }) => curve))].map((curve) => ({
      title: curve,
      columns: ['size', 'figure', 'measured', 'expected', 'measured ÷ expected'],
      rows: rows
        .filter((row) => row.curve === curve)
        .map((row) => [
          ...[String(row.size), row.figure, spreadText(row.measured), figure(row.expected), ratioText(row.ratio)],
        ]),
    })),
  goals(rows) {
    const depths = rows.filter(({ curve }) => curve === DEPTH);
    const two = rows.find(({ curve, size }) => curve === PROCESSES && size === 2)?.ratio ?? null;
    return [
      {
        ...{ goal: 8, what: 'largest distance from the line through depths 20 to 1202', limit: { atMost: 0.05 } },
        value: depths.length < curves[0].sizes.length ? null : farthest(depths),
      } satisfies GoalLine,
      {
        ...{ goal: 8, what: 'efficiency of two processes with depth on', limit: { atLeast: 0.85 } },
        value: two === null ? null : { median: 1 / two.median, low: 1 / two.high, high: 1 / two.low, count: two.count },
      } satisfies GoalLine,
    ];
  },
};

/** The largest |measured ÷ expected − 1|: that of the medians, and those of the extremes. */
function farthest(points: readonly Point[]): Spread | null {
  const distances = points.flatMap(({ ratio }) =>
    ratio === null
      ? []
      : [{ median: Math.abs(ratio.median - 1), far: Math.max(Math.abs(ratio.low - 1), Math.abs(ratio.high - 1)) }],
  );
  if (distances.length === 0) return null;
  const value = Math.max(...distances.map((each) => each.median));
  const far = Math.max(...distances.map((each) => each.far));
  return { median: value, low: value, high: Math.max(value, far), count: points[0]?.ratio?.count ?? 1 };
}

function point(curve: string, size: number, what: string, times: readonly number[], expected: number): Point {
  const ratio = spreadOf(times.map((each) => each / expected));
  return { curve, size, figure: what, measured: spreadOf(times), expected, ratio };
}

function steps({ quick, tell }: Context): Point[] {
  return curves.flatMap(({ kind, title, sizes, quick: few }) => {
    tell(`${title}: ${(quick ? few : sizes).join(', ')}`);
    const args = JSON.stringify(quick ? few : sizes);
    const found = runJson(ours('scale', kind, args, quick ? 1 : 11)) as readonly {
      readonly size: number;
      readonly cost: number;
      readonly ms: readonly number[];
    }[];
    const timed = found.map(({ size, cost, ms }): Timed => ({ size, cost, times: ms }));
    const line = fitLine(timed.map(({ cost, times }) => [cost, median(times)] as const));
    return timed.map(({ size, cost, times }) =>
      point(title, size, 'step, ms', times, line.intercept + line.slope * cost),
    );
  });
}

interface Named {
  readonly name: string;
  readonly size: number;
  readonly us: readonly number[];
}

/** Points of curves by name, each beside its first point times what `factor` says. */
function againstFirst(found: readonly Named[], unit: string, factor: (size: number, first: number) => number): Point[] {
  return found.map(({ name, size, us }) => {
    const first = found.find((each) => each.name === name);
    const expected = median(first?.us ?? us) * factor(size, first?.size ?? size);
    return point(`${name}, by ${unit}`, size, name.startsWith('plan') ? 'plan, µs' : 'batch, µs', us, expected);
  });
}

function plans({ quick, tell }: Context): Point[] {
  const counts = quick ? [54, 540] : [54, 540, 5400];
  tell(`plans of ${counts.join(', ')} sites`);
  const found = runJson(ours('scale-plan', JSON.stringify(counts), quick ? 2 : 7)) as readonly Named[];
  return againstFirst(found, 'sites', (size, first) => size / first);
}

function journal({ quick, tell, folder }: Context): Point[] {
  const lengths = quick ? [100, 1000] : [1000, 100_000];
  tell(`journals of ${lengths.join(', ')} lines`);
  const found = runJson(ours('scale-journal', JSON.stringify(lengths), quick ? 1 : 7, folder)) as readonly Named[];
  return againstFirst(found, 'lines', () => 1);
}

function processes({ quick, tell }: Context): Point[] {
  tell('one process and two, in turn');
  const args = quick ? [8, 8, 2, 0.5] : [56, 128, 10, 0.5];
  const times: readonly [number[], number[]] = [[], []];
  for (let round = 0; round < (quick ? 1 : 5); round++) {
    for (const [i, each] of times.entries()) {
      each.push((runJson(ours('ranks', i + 1, ...args)) as { readonly ms: number }).ms);
    }
  }
  const [one, two] = times;
  const pairs = two.map((ms, i) => ms / ((one[i] ?? Number.NaN) / 2));
  return [
    point(PROCESSES, 1, 'step, ms', one, median(one)),
    { ...point(PROCESSES, 2, 'step, ms', two, median(one) / 2), ratio: spreadOf(pairs) },
  ];
}

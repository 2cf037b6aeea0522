import type { Benchmark, Context, GoalLine } from '../benchmark.js';
import { figure, ratioText } from '../format.js';
import { type Command, reasonOf, runJson } from '../interleave.js';
import { ours, peer } from '../programs.js';
import { median, type Spread } from '../statistics.js';

/** What one system did on one network: steps with something dropped beside steps with nothing dropped. */
interface DepthRow {
  readonly network: string;
  readonly drop: string;
  readonly system: string;
  readonly method: string;
  /** Median milliseconds of a step with nothing dropped, and with something dropped. */
  readonly fullMs: number;
  readonly droppedMs: number;
  /** Share of the forward work that was dropped, mean over the steps. */
  readonly workSaved: number;
  /** 1 − (dropped ÷ full), from sums over all steps of the nine tenths of the pairs that were held up least. */
  readonly timeSaved: number;
  /** `timeSaved` ÷ `workSaved`, 1 where every dropped operation also saves its time; low and high are those of fifths of the pairs. */
  readonly efficiency: Spread;
  /** `timeSaved` ÷ the share of a whole step that the dropped branches take, as measured; `null` where it was not. */
  readonly timeEfficiency: number | null;
  /** Median over the pairs of dropped ÷ (full · (1 − saved)), 1 where a step takes the time of its work; low and high as above. */
  readonly overIdeal: Spread;
  /** The same of a step whose whole batch has fewer rows, so that it is as much work; `null` where it was not measured. */
  readonly smallBatch: number | null;
}

interface Failure {
  readonly network: string;
  readonly drop: string;
  readonly system: string;
  readonly failure: string;
}

type Row = DepthRow | Failure;

interface Pair {
  readonly full: number;
  readonly dropped: number;
  readonly saved: number;
  readonly savedTime?: number;
}

interface Measured {
  readonly pairs: readonly Pair[];
  readonly smallBatch?: number | null;
}

interface Setting {
  readonly network: string;
  readonly drop: string;
  readonly ours: readonly (readonly [system: string, policy: object])[];
  readonly peers: readonly (readonly [system: string, method: string])[];
  readonly rate: number;
  readonly schedule: string;
}

const rowPeers = [
  ['row mask (torchvision, timm)', 'mask'],
  ['row subset (DINOv2)', 'subset'],
] as const;
const blockPeers = [
  ['batch mask (torchvision)', 'batch-mask'],
  ['block gate (Composer)', 'gate'],
] as const;
const rowsOf = (rate: number, schedule: string, ...kinds: readonly string[]) =>
  kinds.map((rows) => [`rows, ${rows}`, { drop: rate, schedule, unit: 'row', rows }] as const);

const settings: readonly Setting[] = [
  ...([0.2, 0.4] as const).map((rate) => ({
    ...{ network: 'resnet50', drop: `blocks, linear ${rate}`, rate, schedule: 'linear', peers: blockPeers },
    ours: [['gate', { drop: rate }] as const],
  })),
  {
    ...{ network: 'resnet110', drop: 'blocks, linear 0.5', rate: 0.5, schedule: 'linear', peers: blockPeers },
    ours: [['gate', { drop: 0.5 }]],
  },
  {
    ...{ network: 'vit', drop: 'rows, uniform 0.3', rate: 0.3, schedule: 'uniform', peers: rowPeers },
    ours: rowsOf(0.3, 'uniform', 'random', 'window'),
  },
  {
    ...{ network: 'resnet110', drop: 'rows, linear 0.5', rate: 0.5, schedule: 'linear', peers: rowPeers },
    ours: rowsOf(0.5, 'linear', 'window', 'random'),
  },
];

const THREADS = 2;
const OURS = 'Shallows';
const PARTS = 5;
const isMeasured = (row: Row): row is DepthRow => 'fullMs' in row;

/** Time saved against work saved, ours and the peers' methods one after the other on the same network. */
export const depth: Benchmark<Row> = {
  name: 'depth',
  about:
    'Steps that drop something, each beside one that drops nothing, by turns in one process: what dropping saves, and what the ' +
    'same forward work would take by itself; beside rows, how a step does whose batch just has fewer rows. A fifth as many pairs ' +
    'of the peers as of ours.',
  run: (context) =>
    settings
      .filter(({ drop, network }) => !context.quick || (network === 'vit' ? true : drop === 'blocks, linear 0.2'))
      .flatMap((setting) => runSetting(context, setting)),
  tables: (rows) => [
    {
      title: 'Time saved by what is dropped, 2 threads',
      columns: [
        ...['network', 'dropped', 'system', 'nothing dropped, ms', 'with drops, ms', 'work saved', 'time saved'],
        ...['time ÷ work', 'time ÷ time of the branches', 'step ÷ ideal', 'a smaller batch ÷ ideal'],
      ],
      rows: rows.map((row) =>
        isMeasured(row)
          ? [
              ...[row.network, row.drop, `${row.system}, ${row.method}`, figure(row.fullMs), figure(row.droppedMs)],
              ...[percent(row.workSaved), percent(row.timeSaved), ratioText(row.efficiency)],
              ...[row.timeEfficiency === null ? '–' : row.timeEfficiency.toFixed(3), ratioText(row.overIdeal)],
              row.smallBatch === null ? '–' : row.smallBatch.toFixed(3),
            ]
          : [row.network, row.drop, row.system, row.failure, '–', '–', '–', '–', '–', '–', '–'],
      ),
    },
  ],
  goals: (rows) =>
    settings.flatMap(({ network, drop, ours: own }) =>
      own.map(([method]): GoalLine => {
        const row = rows
          .filter(isMeasured)
          .find(
            (each) => each.network === network && each.drop === drop && each.system === OURS && each.method === method,
          );
        return method === 'gate'
          ? {
              ...{ goal: 3, what: `time saved ÷ FLOPs saved, ${network}, ${drop}, gate`, limit: { atLeast: 0.97 } },
              value: row?.efficiency ?? null,
            }
          : {
              ...{ goal: 3, what: `step ÷ ideal, ${network}, ${drop}, ${method}`, limit: { atMost: 1.03 } },
              value: row?.overIdeal ?? null,
            };
      }),
    ),
};

function runSetting({ python, quick, tell }: Context, { network, drop, rate, schedule, ...systems }: Setting): Row[] {
  const pairs = quick ? 2 : network === 'vit' ? 60 : 100;
  const run = (system: string, method: string, command: Command | null): Row => {
    const name = { network, drop, system, method };
    if (command === null) return { ...name, failure: 'skipped: no Python with torch' };
    tell(`${network}, ${drop}: ${system}, ${method}`);
    try {
      return summarise(name, runJson(command) as Measured);
    } catch (error) {
      if (system === OURS) throw error;
      return { ...name, failure: reasonOf(error) };
    }
  };
  return [
    ...systems.ours.map(([method, policy]) =>
      run(OURS, method, ours('depth', network, JSON.stringify(policy), THREADS, pairs)),
    ),
    ...systems.peers.map(([title, method]) => {
      const few = Math.ceil(pairs / 5);
      return run('PyTorch', title, peer(python, 'depth', network, method, rate, schedule, THREADS, few));
    }),
  ];
}

type Name = Pick<DepthRow, 'network' | 'drop' | 'system' | 'method'>;

function summarise(name: Name, { pairs, smallBatch = null }: Measured): DepthRow {
  const whole = figuresOf(pairs);
  // Fifths of the run, for the spread: single pairs drop different blocks.
  const size = Math.ceil(pairs.length / PARTS);
  const parts = Array.from({ length: Math.ceil(pairs.length / size) }, (_, i) =>
    figuresOf(pairs.slice(i * size, (i + 1) * size)),
  );
  const spread = (of: (part: ReturnType<typeof figuresOf>) => number): Spread => {
    const values = parts.map(of).filter((each) => Number.isFinite(each));
    return { median: of(whole), low: Math.min(...values), high: Math.max(...values), count: pairs.length };
  };
  return {
    ...name,
    fullMs: median(pairs.map(({ full }) => full)),
    droppedMs: median(pairs.map(({ dropped }) => dropped)),
    workSaved: whole.workSaved,
    timeSaved: whole.timeSaved,
    efficiency: spread((each) => each.efficiency),
    timeEfficiency: whole.timeEfficiency,
    overIdeal: spread((each) => each.overIdeal),
    smallBatch,
  };
}

function figuresOf(pairs: readonly Pair[]) {
  // A pair in which either step was held up by something else says nothing.
  const quiet = pairs
    .toSorted((a, b) => a.full + a.dropped - b.full - b.dropped)
    .slice(0, Math.ceil(0.9 * pairs.length));
  const sum = (of: (pair: Pair) => number): number => quiet.reduce((total, each) => total + of(each), 0);
  const timeSaved = 1 - sum(({ dropped }) => dropped) / sum(({ full }) => full);
  const savedTime = quiet.every((each) => each.savedTime !== undefined)
    ? sum((each) => each.savedTime ?? 0) / quiet.length
    : null;
  return {
    workSaved: pairs.reduce((total, each) => total + each.saved, 0) / pairs.length,
    timeSaved,
    efficiency: timeSaved / (sum((each) => each.saved) / quiet.length),
    timeEfficiency: savedTime === null ? null : timeSaved / savedTime,
    overIdeal: median(pairs.map((each) => each.dropped / (each.full * (1 - each.saved)))),
  };
}

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

import { existsSync } from 'node:fs';
import type { Benchmark, Context, GoalLine } from '../benchmark.js';
import { type Comparison, compare, comparisonGoal, comparisonTables } from '../comparison.js';
import { figure, ratioText } from '../format.js';
import { runJson } from '../interleave.js';
import { ours, peer } from '../programs.js';
import { median, type Spread, spreadOf } from '../statistics.js';

/** How far the memory of a step falls where something is dropped. */
interface Activations {
  readonly network: string;
  readonly method: string;
  /** Medians over the steps, in MB on top of what lies between them. */
  readonly fullMB: number;
  readonly droppedMB: number;
  readonly emptyMB: number;
  /** Share of the branches, or of their rows, that was dropped. */
  readonly share: number;
  /** (full − dropped) ÷ (full − empty) ÷ share, step by step: 1 where memory falls by the dropped share. */
  readonly ratio: Spread | null;
}

type Row = Comparison | Activations;

const PEER = 'PyTorch eager';
const FIGURE = 'peak resident memory, MB';
const works = [
  { network: 'resnet50', title: 'ResNet-50, batch 16, 64²' },
  { network: 'vit', title: 'ViT-Ti/4, batch 64, 32²' },
  { network: 'mlp', title: 'MLP 784-1024-1024-10, batch 256' },
];
const lengths = [1, 200];
const methodTitles = {
  gate: 'every other block by gate',
  window: '30 % of the rows by window',
  random: '30 % of the rows at random',
} as const;
const methods = [
  { network: 'vit', title: 'ViT-Ti/4, batch 64' },
  { network: 'resnet110', title: 'ResNet-110, batch 128' },
].flatMap((each) => (['gate', 'window', 'random'] as const).map((method) => ({ ...each, method })));
// What is freed goes back to the system at once, so that resident memory is what is held.
const returning = { MALLOC_MMAP_THRESHOLD_: '65536', MALLOC_TRIM_THRESHOLD_: '0' };

const titleOf = (title: string, steps: number): string => `${title}, ${steps === 1 ? 'one step' : `${steps} steps`}`;
const isComparison = (row: Row): row is Comparison => 'peer' in row;
const isActivations = (row: Row): row is Activations => 'fullMB' in row;

/** The most memory of a process that trains, and of a step that drops. */
export const memory: Benchmark<Row> = {
  name: 'memory',
  about:
    'The most resident memory (VmHWM) of a process that trains, one step and 200; and by how much the memory that a step ' +
    'takes falls where branches or rows are dropped.',
  run: (context) => [...processes(context), ...activations(context)],
  tables: (rows) => [
    ...comparisonTables('Peak of a process', rows.filter(isComparison)),
    {
      title: 'Peak of a step',
      columns: ['network', 'dropped', 'share', 'whole step, MB', 'with drops, MB', 'no branches, MB', 'fall ÷ share'],
      rows: rows
        .filter(isActivations)
        .map(({ network, method, share, fullMB, droppedMB, emptyMB, ratio }) => [
          ...[network, method, `${(100 * share).toFixed(1)} %`, figure(fullMB), figure(droppedMB), figure(emptyMB)],
          ratioText(ratio),
        ]),
    },
  ],
  goals: (rows) => [
    ...works.flatMap(({ title }) =>
      lengths.map((steps) => {
        const work = titleOf(title, steps);
        const line = { goal: 5, what: `peak memory of ${work}`, limit: { atMost: 0.9 } };
        return comparisonGoal(rows.filter(isComparison), { work, figure: FIGURE, peer: PEER }, line);
      }),
    ),
    ...methods.flatMap(({ title, method }): GoalLine[] => {
      const row = rows
        .filter(isActivations)
        .find((each) => each.network === title && each.method === methodTitles[method]);
      const value = row?.ratio ?? null;
      const what = `fall of peak activation memory ÷ dropped share, ${title}, ${methodTitles[method]}`;
      return [
        { goal: 5, what, limit: { atLeast: 0.9 }, value },
        { goal: 5, what, limit: { atMost: 1.1 }, value },
      ];
    }),
  ],
};

function processes(context: Context): Comparison[] {
  const { quick, python } = context;
  const setups = { ours: { channelsLast: false, fused: true }, peer: { channels_last: false, optimizer: 'fused' } };
  return works
    .filter(({ network }) => !quick || network === 'mlp')
    .flatMap(({ network, title }) =>
      lengths.flatMap((steps) => {
        const args = [network, 2, quick ? Math.min(steps, 20) : steps];
        return compare(context, {
          ...{ work: titleOf(title, steps), threads: 2, rounds: quick || steps > 1 ? 1 : 3 },
          ours: { command: ours('memory', ...args, JSON.stringify(setups.ours)) },
          peers: [{ name: PEER, command: peer(python, 'memory', ...args, JSON.stringify(setups.peer)) }],
        });
      }),
    );
}

function activations({ quick, tell }: Context): Activations[] {
  if (!existsSync('/proc/self/clear_refs')) {
    tell('memory of a step: skipped, only Linux tells it');
    return [];
  }
  return methods
    .filter(({ network, method }) => !quick || (network === 'vit' && method === 'gate'))
    .map(({ network, title, method }) => {
      tell(`memory of a step, ${title}, ${methodTitles[method]}`);
      const rounds = quick ? 1 : 8;
      const measured = runJson(ours('activations', network, method, rounds), { env: returning }) as readonly {
        readonly full: number;
        readonly dropped: number;
        readonly empty: number;
        readonly share: number;
      }[];
      return {
        network: title,
        method: methodTitles[method],
        fullMB: median(measured.map(({ full }) => full)),
        droppedMB: median(measured.map(({ dropped }) => dropped)),
        emptyMB: median(measured.map(({ empty }) => empty)),
        share: median(measured.map(({ share }) => share)),
        ratio: spreadOf(measured.map(({ full, dropped, empty, share }) => (full - dropped) / (full - empty) / share)),
      };
    });
}

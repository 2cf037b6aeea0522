import type { Benchmark, Context, GoalLine } from '../benchmark.js';
import { type Comparison, compare, comparisonGoal, comparisonTables, type Side } from '../comparison.js';
import { count } from '../format.js';
import { runJson } from '../interleave.js';
import { type MeasuredOperators, type OperatorTimes, operatorTables, operatorTimes } from '../operator-times.js';
import { ours, peer } from '../programs.js';

interface Work {
  readonly network: string;
  readonly title: string;
  /** Timed steps of a process. */
  readonly steps: number;
  readonly isConvolution: boolean;
}

const works: readonly Work[] = [
  { network: 'resnet110', title: 'ResNet-110, batch 128, 32²', steps: 5, isConvolution: true },
  { network: 'resnet50', title: 'ResNet-50, batch 16, 64²', steps: 9, isConvolution: true },
  { network: 'vit', title: 'ViT-Ti/4, batch 64, 32²', steps: 9, isConvolution: false },
  { network: 'convnext', title: 'ConvNeXt-T, batch 8, 64²', steps: 9, isConvolution: true },
  { network: 'encoder', title: 'transformer encoder, 6 × 256, batch 32 × 128 tokens', steps: 9, isConvolution: false },
  { network: 'mlp', title: 'MLP 784-1024-1024-10, batch 256', steps: 60, isConvolution: false },
];

const FIGURE = 'step, ms';
const EAGER = 'PyTorch eager';
const EAGER_KEEPING = 'PyTorch eager, C library keeps freed memory';
const COMPILED = 'torch.compile';
/** What our addon sets for itself, for a peer that was told so. */
const keepsMemory = { MALLOC_MMAP_THRESHOLD_: String(1 << 30), MALLOC_TRIM_THRESHOLD_: String(2 ** 31 - 1) };
const COMPILE_TIMEOUT = 20 * 60_000;

type Row = Comparison | OperatorTimes;

const isComparison = (row: Row): row is Comparison => 'peer' in row;
const isOperatorTimes = (row: Row): row is OperatorTimes => 'operator' in row;

/** Full training steps, nothing dropped. */
export const step: Benchmark<Row> = {
  name: 'step',
  about:
    'Full training steps with nothing dropped: forward, loss, backward, optimizer. On both sides the faster of ' +
    'contiguous and channels-last memory and of plain and fused optimizers is measured first and then taken. ' +
    '`--compile` adds torch.compile. Where a step goes is what a profiler adds up of a few more steps; the profilers themselves ' +
    'take part of it.',
  run: (context) => works.flatMap((work) => context.threads.flatMap((threads) => runWork(context, work, threads))),
  tables: (rows) => [
    ...comparisonTables('Training steps', rows.filter(isComparison)),
    ...operatorTables('Where a step goes, by operator', rows.filter(isOperatorTimes)),
  ],
  goals: (rows) =>
    works.map(({ title, isConvolution }): GoalLine => {
      const what = `step of ${title}, against eager, 2 threads`;
      const limit = { atMost: isConvolution ? 0.92 : 1 };
      return comparisonGoal(
        rows.filter(isComparison),
        { work: title, figure: FIGURE, threads: 2, peer: EAGER },
        { goal: 2, what, limit },
      );
    }),
};

function runWork(context: Context, { network, title, steps }: Work, threads: number): Row[] {
  const { python, quick, compile, tell } = context;
  // What takes long is done for the most threads alone.
  const isLast = threads === Math.max(...context.threads);
  const [warmup, repeats, rounds] = quick ? [1, 1, 1] : [2, steps, 3];
  if (!quick) tell(`${title}, ${threads} threads: choosing set-ups`);
  const own = quick ? { channelsLast: false, fused: true } : runJson(ours('choose', network, threads, 3));
  const choosing = quick ? null : peer(python, 'choose', network, threads, 3);
  const theirs = (choosing === null ? { channels_last: false, optimizer: 'fused' } : runJson(choosing)) as object;
  const side = (name: string, setup: object, more: Partial<Side> = {}): Side => ({
    name,
    command: peer(python, 'step', network, threads, warmup, repeats, JSON.stringify(setup)),
    note: `ours ${setupText(own)}, peer ${setupText(setup)}`,
    ...more,
  });
  const compared = compare(context, {
    ...{ work: title, threads, rounds },
    ours: { command: ours('step', network, threads, warmup, repeats, JSON.stringify(own)) },
    peers: [
      side(EAGER, theirs),
      ...(quick
        ? []
        : [
            side(EAGER_KEEPING, theirs, { options: { env: keepsMemory } }),
            ...(compile && isLast
              ? [side(COMPILED, { ...theirs, compile: true }, { options: { timeoutMs: COMPILE_TIMEOUT } })]
              : []),
          ]),
    ],
  });
  if (!isLast || (quick && network !== 'mlp')) return compared;
  tell(`${title}, ${threads} threads: where a step goes`);
  const args = [network, threads, warmup, repeats] as const;
  const theirsIn = peer(python, 'operators', ...args, JSON.stringify(theirs));
  return [
    ...compared,
    ...operatorTimes(
      `${title}, ${count(threads, 'thread')}`,
      runJson(ours('operators', ...args, JSON.stringify(own))) as MeasuredOperators,
      theirsIn === null ? null : (runJson(theirsIn) as MeasuredOperators),
    ),
  ];
}

function setupText(setup: unknown): string {
  const entries = Object.entries(setup as Record<string, unknown>).filter(([, value]) => value !== false);
  const words = entries.map(([name, value]) =>
    (value === true ? name : String(value)).replace(/_|(?=[A-Z])/g, ' ').toLowerCase(),
  );
  return words.length === 0 ? 'plain' : words.join(' and ');
}

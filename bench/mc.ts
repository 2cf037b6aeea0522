import { fileURLToPath } from 'node:url';
import { type Command, median, runJson } from './interleave.js';
import { type Spread, spreadOf } from './statistics.js';

/** T random passes of one system on one network, beside one evaluation. */
export interface MonteCarloRow {
  readonly network: string;
  readonly system: string;
  /** Median milliseconds of one evaluation. */
  readonly oneMs: number;
  /** Milliseconds of T passes with their statistics. */
  readonly manyMs: Spread | null;
  /** Over the rounds, T passes ÷ one evaluation. */
  readonly ratio: Spread | null;
  /** The ratio that the work alone gives; null for systems that run the whole network T times. */
  readonly work: number | null;
  /** Whether the samples are those of whole passes with the same masks, to the last bit; null where masks cannot be had again. */
  readonly exact: boolean | null;
}

interface Measured {
  readonly exact?: boolean;
  /** Milliseconds of T whole passes, once. */
  readonly loop?: number;
  readonly measured: readonly { readonly one: number; readonly many: number }[];
}

const THREADS = '2';
/** With the share of a network that is run for every pass. */
const settings = [
  { network: 'resnet50', title: 'ResNet-50, 8 × 224², dropout before the head', stochastic: 0 },
  { network: 'vit', title: 'ViT-Ti, 8 × 32², last 2 of 12 blocks', stochastic: 2 / 12 },
];

/** Ours, the naive loop over the same network, and what Python programs do on the same libtorch, if there is a Python. */
export function benchMonteCarlo(
  python: string | null,
  { passes, rounds }: { readonly passes: number; readonly rounds: number },
  print: (row: MonteCarloRow) => void,
): readonly MonteCarloRow[] {
  const program = fileURLToPath(new URL('ours/mc.js', import.meta.url));
  const peer = fileURLToPath(new URL('../peers/mc.py', import.meta.url));
  return settings.flatMap(({ network, title, stochastic }) => {
    const work = 1 - stochastic + stochastic * passes;
    const run = (command: Command): Measured => runJson(command) as Measured;
    const args = (count: number): string[] => [String(passes), THREADS, String(count)];
    const row = (system: string, found: Measured, more: Pick<MonteCarloRow, 'work' | 'exact'>): MonteCarloRow => {
      const { measured } = found;
      const made = {
        ...{ network: title, system, ...more },
        oneMs: median(measured.map(({ one }) => one)),
        manyMs: spreadOf(measured.map(({ many }) => many)),
        ratio: spreadOf(measured.map(({ one, many }) => many / one)),
      };
      print(made);
      return made;
    };
    const ours = run([process.execPath, program, network, ...args(rounds)]);
    const looped = ours.measured.map(({ one }) => ({ one, many: ours.loop ?? Number.NaN }));
    const few = Math.min(3, rounds);
    return [
      row('Shallows, monteCarlo', ours, { work, exact: ours.exact ?? null }),
      row('Shallows, loop of whole passes', { measured: looped }, { work: null, exact: null }),
      ...(python === null ? [] : (['loop', 'replicated'] as const)).map((method) =>
        row(
          `PyTorch, ${method === 'loop' ? 'loop of whole passes' : 'batch replicated T times'}`,
          run([python ?? '', peer, network, method, ...args(few)]),
          { work: null, exact: null },
        ),
      ),
    ];
  });
}

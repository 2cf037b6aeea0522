import { join } from 'node:path';
import type { Benchmark, Context } from '../benchmark.js';
import { type Comparison, compare, comparisonGoal, comparisonTables } from '../comparison.js';
import { ours, peer } from '../programs.js';

const STORE = 'ResNet-50 with SGD, checkpoint store';
const FILE = 'ResNet-50 with SGD, one safetensors file';
const TORCH = 'torch.save, torch.load';
const SAFETENSORS = 'safetensors in Python';

/** Saving and loading a training. */
export const checkpoint: Benchmark<Comparison> = {
  name: 'checkpoint',
  about:
    'ResNet-50 with the momentum of its optimizer. A save is over once it is synced to disk, on all sides; the store also ' +
    'keeps digests of what it writes, and compares them where it reads. Loading ends with the values in the model and optimizer.',
  run: (context) => [
    ...pair(context, STORE, 'store', [TORCH, SAFETENSORS]),
    ...pair(context, FILE, 'safetensors', [SAFETENSORS]),
  ],
  tables: (rows) => comparisonTables('Save and load', rows),
  goals: (rows) =>
    [
      { work: STORE, against: TORCH },
      { work: FILE, against: SAFETENSORS },
    ].flatMap(({ work, against }) =>
      ['save, ms', 'load, ms'].map((figure) => {
        const what = `${figure.replace(', ms', '')} of ${work}, against ${against}`;
        return comparisonGoal(rows, { work, figure, peer: against }, { goal: 7, what, limit: { atMost: 1 } });
      }),
    ),
};

function pair(context: Context, work: string, kind: string, names: readonly string[]): Comparison[] {
  const { python, quick, folder } = context;
  const [times, rounds] = quick ? [1, 1] : [5, 9];
  return compare(context, {
    ...{ work, threads: 2, rounds },
    ours: { command: ours('checkpoint', kind, join(folder, `ours-${kind}`), times) },
    peers: names.map((name) => {
      const library = name === TORCH ? 'torch' : 'safetensors';
      return { name, command: peer(python, 'checkpoint', library, join(folder, `peer-${library}`), times) };
    }),
  });
}

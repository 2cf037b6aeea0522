// Step time as a network grows. Arguments: `depth`, `width` or `batch`, sizes as JSON, rounds. Prints for each size its cost in
// units in which time should be a straight line, and the milliseconds of a step in each round; sizes run in turn.
import { clearGrads, ops, randn, setNumThreads } from '@shallows/torch';
import { cifarResnet, mlp } from 'shallows/models';
import { type Module, SGD } from 'shallows/nn';
import { rootKey } from 'shallows/random';
import { median } from '../interleave.js';
import type { Training } from './networks.js';
import { trainingStep } from './training-step.js';

const [kind = '', sizes = '[]', rounds] = process.argv.slice(2);
setNumThreads(1);
const key = rootKey(1);
const TINY = [8, 8, 8] as const;
const HIDDEN = 3;

interface Sized {
  readonly model: Module;
  readonly input: readonly number[];
  /** What the time of a step should be a straight line in. */
  readonly cost: number;
}

const kinds: Readonly<Record<string, (size: number) => Sized>> = {
  // Layers.
  depth: (depth) => ({
    model: cifarResnet({ depth, classes: 10, widths: TINY, key }),
    ...{ input: [8, 3, 16, 16], cost: depth },
  }),
  // Numbers that are learnt, which are also the multiplications of a row.
  width(width) {
    const model = mlp({ inputs: width, outputs: 10, hidden: Array.from({ length: HIDDEN }, () => width), key });
    return { model, input: [64, width], cost: model.parameterCount };
  },
  // Rows.
  batch: (batch) => ({
    model: cifarResnet({ depth: 20, classes: 10, key }),
    ...{ input: [batch, 3, 32, 32], cost: batch },
  }),
};

const make = kinds[kind];
if (make === undefined) throw new Error(`expected one of ${Object.keys(kinds).join(', ')}, got ${kind}`);
const all = (JSON.parse(sizes) as readonly number[]).map((size) => {
  const { model, input, cost } = make(size);
  const trained: Training = {
    ...{ model, inputs: randn(input) },
    optimizer: new SGD(model.parameters(), { lr: 0.001, momentum: 0.9, fused: true }),
    targets: ops.aten.randint(10, [input[0] ?? 0], { dtype: 'int64' }),
  };
  return { size, cost, trained, ms: [] as number[] };
});

/** The median of so many steps that they take about a fifth of a second. */
function timed(trained: Training): number {
  const times: number[] = [];
  const begin = performance.now();
  while (times.length < 3 || performance.now() - begin < 200) {
    const start = performance.now();
    trainingStep(trained);
    times.push(performance.now() - start);
  }
  return median(times);
}

for (const { trained } of all) trainingStep(trained);
for (let round = 0; round < Number(rounds); round++) {
  for (const { trained, ms } of all) {
    ms.push(timed(trained));
    // What lies between the steps of one network is no burden to the next.
    clearGrads(trained.model.parameters());
  }
}
console.log(JSON.stringify(all.map(({ size, cost, ms }) => ({ size, cost, ms }))));

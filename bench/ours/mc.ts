// Monte-Carlo dropout: T passes of `monteCarlo` beside one evaluation and beside the loop of whole passes with the same masks.
// Arguments: NETWORK (resnet50, vit), T, threads, rounds.
import { noGrad, ops, randn, scope, setNumThreads, type Tensor } from '@shallows/torch';
import { monteCarlo, monteCarloPassAt } from 'shallows/dropout';
import { createModel } from 'shallows/models';
import type { Module } from 'shallows/nn';
import { rootKey } from 'shallows/random';

const key = rootKey(1);
interface Network {
  readonly make: () => Module;
  readonly input: readonly number[];
  readonly sites?: readonly string[];
}
const networks: Readonly<Record<string, Network>> = {
  resnet50: {
    make: () => createModel('resnet', { depth: 50, classes: 1000, key, headDrop: 0.2 }),
    input: [8, 3, 224, 224],
  },
  vit: {
    make: () => createModel('vit', { size: 'ti', patch: 4, image: 32, classes: 10, key, projDrop: 0.1 }),
    input: [8, 3, 32, 32],
    sites: ['blocks.10.*', 'blocks.11.*'],
  },
};

const [name = '', ...numbers] = process.argv.slice(2);
const [passes, threads, rounds] = numbers.map(Number) as [number, number, number];
const network = networks[name];
if (network === undefined) throw new Error(`expected one of ${Object.keys(networks).join(', ')}, got ${name}`);
setNumThreads(threads);
const model = network.make();
const x = randn(network.input);
const options = { seed: 7, ...(network.sites === undefined ? {} : { sites: network.sites }) };

function timed(run: () => void): number {
  const start = performance.now();
  scope(() => noGrad(run));
  return performance.now() - start;
}

const one = (): number => timed(() => model.forward(x));
const many = (): number => timed(() => monteCarlo(model, x, { ...options, passes }).dispose());

/** Milliseconds of the loop of whole passes, and whether the samples are the loop's, to the last bit. */
function loop(): { readonly ms: number; readonly exact: boolean } {
  return noGrad(() =>
    scope(() => {
      const rows = x.shape[0] ?? 0;
      const start = performance.now();
      const expected = Array.from({ length: passes }, (_, t) =>
        scope(() => model.forward(x, monteCarloPassAt(model, t, { ...options, rows })).softmax(1)),
      );
      const ms = performance.now() - start;
      using result = monteCarlo(model, x, { ...options, passes });
      return { ms, exact: result.samples.equal(ops.aten.stack.default(expected) as Tensor) };
    }),
  );
}

for (let i = 0; i < Math.min(3, rounds); i++) {
  one();
  many();
}
const measured = Array.from({ length: rounds }, () => {
  // What drifts hits both alike.
  const before = one();
  const manyMs = many();
  return { one: (before + one()) / 2, many: manyMs };
});
const { ms, exact } = loop();
using result = monteCarlo(model, x, { ...options, passes });
console.log(JSON.stringify({ exact, loop: ms, facts: result.facts, measured }));

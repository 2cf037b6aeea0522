// One tiny operator, a chain of a thousand, and the backward pass of that chain. Prints microseconds an operator.
import { noGrad, ones, ops, scope, setNumThreads, type Tensor, tensor } from '@shallows/torch';
import { measure } from './measure.js';

const CHAIN = 1000;
const [warmup, repeats] = process.argv.slice(2).map(Number) as [number, number];
setNumThreads(1);
const a = ones([1]);
const b = ones([1]);
const leaf = tensor([1], { requiresGrad: true });
const add = ops.aten.add.Tensor;

const oneByOne = (): void => {
  for (let i = 0; i < CHAIN; i++) scope(() => void a.add(b));
};
const chain = (): void => {
  scope(() => {
    let y = a;
    for (let i = 0; i < CHAIN; i++) y = y.add(b);
  });
};
const escapeHatch = (): void => {
  scope(() => {
    for (let i = 0; i < CHAIN; i++) add(a, b);
  });
};
const recorded = (): Tensor => {
  let y = leaf.add(b);
  for (let i = 1; i < CHAIN; i++) y = y.add(b);
  return y;
};
const forwardAndBackward = (): void => {
  scope(() => {
    recorded().backward();
    leaf.grad = null;
  });
};

const perOperator = (run: () => void): number => (measure(run, { warmup, repeats }) * 1000) / CHAIN;

/** The backward pass alone, of chains that are made between the timings. */
function backwardAlone(): number {
  const times: number[] = [];
  for (let i = 0; i < warmup + repeats; i++) {
    scope(() => {
      const y = recorded();
      const start = performance.now();
      y.backward();
      const ms = performance.now() - start;
      if (i >= warmup) times.push(ms);
      leaf.grad = null;
    });
  }
  times.sort((x, y) => x - y);
  return ((times[times.length >> 1] ?? Number.NaN) * 1000) / CHAIN;
}

console.log(
  JSON.stringify({
    'an add by itself, no gradient, µs': noGrad(() => perOperator(oneByOne)),
    'add in a chain, no gradient, µs': noGrad(() => perOperator(chain)),
    'add through ops.aten, no gradient, µs': noGrad(() => perOperator(escapeHatch)),
    'add in a chain, recorded, µs': perOperator(() => scope(() => void recorded())),
    'backward of the chain, µs': backwardAlone(),
    'forward and backward, µs': perOperator(forwardAndBackward),
  }),
);

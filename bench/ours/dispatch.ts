// One tiny operator, a chain of a thousand, and the backward pass of that chain. Prints microseconds an operator.
import { noGrad, ones, ops, scope, setNumThreads, tensor } from '@shallows/torch';
import { measure } from './measure.js';

const CHAIN = 1000;
setNumThreads(1);
const a = ones([1]);
const b = ones([1]);
const leaf = tensor([1], { requiresGrad: true });
const add = ops.aten.add.Tensor;

const chain = (): void => {
  scope(() => {
    for (let i = 0; i < CHAIN; i++) a.add(b);
  });
};
const escapeHatch = (): void => {
  scope(() => {
    for (let i = 0; i < CHAIN; i++) add(a, b);
  });
};
const forwardAndBackward = (): void => {
  scope(() => {
    let y = leaf.add(b);
    for (let i = 1; i < CHAIN; i++) y = y.add(b);
    y.backward();
    leaf.grad = null;
  });
};

const perOperator = (run: () => void): number => (measure(run, { warmup: 100, repeats: 200 }) * 1000) / CHAIN;
console.log(
  JSON.stringify({
    'add, no gradient': noGrad(() => perOperator(chain)),
    'add through ops.aten, no gradient': noGrad(() => perOperator(escapeHatch)),
    'add, forward and backward': perOperator(forwardAndBackward),
  }),
);

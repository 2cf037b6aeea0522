import { ones, scope, stats } from '@shallows/torch';
import { expect, test } from 'vitest';
import { fakeTraining } from '../../../../../tests/support/fake-training.js';
import { ShallowsError } from '../../errors.js';
import { clipGradAdaptive, clipGradNorm, clipGradValue, Linear, type Parameter } from '../../nn/index.js';
import { rootKey } from '../../random/index.js';
import { type GradientClippingOptions, gradientClipping } from './gradient-clipping.js';

function model(): Linear {
  const linear = new Linear(3, 2, { key: rootKey(1) });
  for (const each of linear.parameters()) each.grad = ones(each.shape).mul(2);
  return linear;
}
const grads = (linear: Linear): number[][] =>
  linear.parameters().map(({ grad }) => Array.from(grad?.toArray() ?? [], Number));

function clipped(options: GradientClippingOptions): { linear: Linear; norm: number } {
  const linear = model();
  const training = fakeTraining({ model: linear });
  const algorithm = gradientClipping(options);
  void algorithm.onFitStart?.(training);
  algorithm.onOptimizerStepStart?.(training);
  return { linear, norm: training.gradNorm?.item() ?? Number.NaN };
}

test.each<[GradientClippingOptions, (params: Parameter[]) => unknown]>([
  [{ norm: 0.5 }, (params) => clipGradNorm(params, { maxNorm: 0.5 })],
  [{ value: 0.25 }, (params) => clipGradValue(params, { clipValue: 0.25 })],
  [{ adaptive: 0.1, eps: 0.5 }, (params) => clipGradAdaptive(params, { clipFactor: 0.1, eps: 0.5 })],
])('%o clips as the function of the same name, and tells the norm before', (options, clip) => {
  const expected = model();
  clip(expected.parameters());
  const { linear, norm } = clipped(options);
  expect(grads(linear)).toEqual(grads(expected));
  expect(grads(linear)).not.toEqual(grads(model()));
  expect(norm).toBeCloseTo(2 * Math.sqrt(8), 5);
});

test('parameters may be exempt from adaptive clipping', () => {
  const { linear } = clipped({ adaptive: 0.1, exempt: (key) => key === 'bias' });
  const [weight, bias] = grads(linear);
  expect(bias).toEqual([2, 2]);
  expect(weight).not.toContain(2);
});

test('a norm that was told before is left', () => {
  const training = fakeTraining({ model: model() });
  const first = ones([]);
  training.gradNorm = first;
  const algorithm = gradientClipping({ value: 1 });
  void algorithm.onFitStart?.(training);
  algorithm.onOptimizerStepStart?.(training);
  expect(training.gradNorm).toBe(first);
});

test('leaves nothing but the norm', () => {
  const training = fakeTraining({ model: model() });
  const algorithm = gradientClipping({ norm: 1 });
  void algorithm.onFitStart?.(training);
  const live = stats().liveTensors;
  for (let i = 0; i < 3; i++) {
    scope(() => {
      algorithm.onOptimizerStepStart?.(training);
      training.gradNorm = null;
    });
  }
  expect(stats().liveTensors).toBe(live);
});

test.each<[GradientClippingOptions, string]>([
  [{}, 'gradientClipping: options: expected one of norm, value and adaptive, got ""'],
  [{ norm: 1, value: 1 }, 'options: expected one of norm, value and adaptive, got "norm and value"'],
  [{ norm: 0 }, 'norm: expected a number above 0, got 0'],
  [{ adaptive: Number.NaN, eps: 0 }, 'eps: expected a number above 0, got 0; adaptive: expected a number above 0'],
  [{ adaptive: 1, exempt: 'bias' as unknown as () => boolean }, 'exempt: expected a function of a key, got "bias"'],
])('%o is an error', (options, message) => {
  expect(() => gradientClipping(options)).toThrow(ShallowsError);
  expect(() => gradientClipping(options)).toThrow(message);
});

import { arange, type DType, scope, type Tensor, tensor } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import { Adam, AdamW, LAMB, type Optimizer, Parameter, RMSprop, SGD } from '../index.js';

const settings = { lr: 0.1, weightDecay: 0.05 };
const make: Record<string, (params: Parameter[]) => Optimizer> = {
  SGD: (params) => new SGD(params, { ...settings, momentum: 0.9, nesterov: true }),
  'SGD, fused': (params) => new SGD(params, { ...settings, momentum: 0.9, nesterov: true, fused: true }),
  Adam: (params) => new Adam(params, { ...settings, amsgrad: true }),
  AdamW: (params) => new AdamW(params, settings),
  RMSprop: (params) => new RMSprop(params, { ...settings, momentum: 0.5, centered: true }),
  LAMB: (params) => new LAMB(params, settings),
};
const orders = {
  rows: (x: Tensor): Tensor => x,
  'channels last': (x: Tensor): Tensor => x.to({ memoryFormat: 'channels_last' }),
  transposed: (x: Tensor): Tensor => x.transpose(0, 3).contiguous().transpose(0, 3),
  'with holes': (x: Tensor): Tensor => x.repeat([1, 1, 1, 2]).narrow(3, 0, 5),
} as const;

function weightsAfter(create: (params: Parameter[]) => Optimizer, orderOf: (step: number) => keyof typeof orders) {
  return scope(() => {
    const weight = new Parameter(orders[orderOf(-1)](numbers(0.07)));
    const optimizer = create([weight]);
    for (let step = 0; step < 4; step++) {
      weight.grad = orders[orderOf(step)](numbers(0.31 + step));
      optimizer.step();
    }
    const copy = Array.from(weight.toArray(), Number);
    optimizer.dispose();
    weight.dispose();
    return copy;
  });
}
const numbers = (factor: number): Tensor =>
  arange(0, 120, 1, { dtype: 'float32' }).mul(factor).sin().reshape([4, 2, 3, 5]);

describe.each(Object.entries(make))('%s: the order of elements in memory is no matter', (_, create) => {
  const expected = weightsAfter(create, () => 'rows');
  const names = Object.keys(orders) as (keyof typeof orders)[];

  test.each(names.flatMap((weight) => names.map((grad) => [weight, grad] as const)))(
    'weights %s, gradients %s',
    (weight, grad) => {
      const got = weightsAfter(create, (step) => (step < 0 ? weight : grad));
      expect(got).toBeAllclose(expected, { rtol: 1e-5, atol: 1e-6 });
    },
  );

  test('not even from step to step', () => {
    const got = weightsAfter(create, (step) => names[(step + 1) % 4] ?? 'rows');
    expect(got).toBeAllclose(expected, { rtol: 1e-5, atol: 1e-6 });
  });

  test('an expanded gradient counts for each element', () => {
    const [whole, expanded] = [new Parameter(tensor([1, 2, 3])), new Parameter(tensor([1, 2, 3]))];
    whole.grad = tensor([2, 2, 2]);
    expanded.grad = tensor([2]).expand([3]);
    for (const each of [whole, expanded]) create([each]).step();
    expect(expanded).toBeAllclose(whole);
  });
});

test.each(Object.entries(make))('%s: dtypes may be mixed in a group', (_, create) => {
  const dtypes: readonly DType[] = ['float32', 'float64', 'bfloat16', 'float32'];
  const params = dtypes.map((dtype) => new Parameter(tensor([1, -2, 3], { dtype })));
  const optimizer = create(params);
  for (let step = 0; step < 3; step++) {
    for (const each of params) each.grad = tensor([0.5, 1, -1], { dtype: each.dtype });
    optimizer.step();
  }
  const [first, wide, narrow, last] = params.map((each) => Array.from(each.toArray(), Number));
  expect(last).toEqual(first);
  expect(wide).toBeAllclose(first ?? [], { rtol: 1e-5 });
  expect(narrow).toBeAllclose(first ?? [], { rtol: 0.02 });
});

import { ones, stats, type Tensor, tensor } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import { MovingModel, values } from '../../../../../tests/support/moving-model.js';
import { ShallowsError } from '../../errors.js';
import { WeightAverage } from './weight-average.js';

const bytes = (model: MovingModel): Uint8Array[] => Object.values(model.stateDict()).map((each) => each.toBytes());
const close = { rtol: 1e-12, atol: 1e-13 };

describe('WeightAverage', () => {
  test('is the mean where weights are 1 / n, and the weights themselves where one is 1', () => {
    using model = new MovingModel();
    const average = new WeightAverage(model);
    for (let n = 1; n <= 3; n++) {
      model.goTo(n);
      average.update(1 / n);
      if (n === 1) expect(average.tensors().weight?.toBytes()).toEqual(model.weight.toBytes());
    }
    const mean = values([3], 1)
      .add(values([3], 2))
      .add(values([3], 3))
      .div(3);
    expect(average.tensors().weight).toBeAllclose(mean, close);
    expect(average.tensors().count?.item()).toBe(3);
    average.dispose();
  });

  test('swaps in, and back bit for bit; NaN and −0 too', () => {
    using model = new MovingModel();
    const average = new WeightAverage(model);
    model.goTo(5);
    model.weight.detach().copy_(tensor([Number.NaN, -0, 1e-310], { dtype: 'float64' }));
    const before = bytes(model);
    average.swapIn();
    expect(average.swapped).toBe(true);
    expect(model.weight).toBeAllclose(values([3], 0), close);
    expect(model.count.item()).toBe(0);
    average.swapOut();
    expect(bytes(model)).toEqual(before);
    average.dispose();
  });

  test('keeps 16-bit weights in 32, so that small steps are not lost', () => {
    using model = new MovingModel();
    model.to({ dtype: 'bfloat16' });
    const average = new WeightAverage(model);
    model.weight.detach().copy_(ones([3]));
    average.update(1);
    model.weight.detach().copy_(ones([3]).mul(1.5));
    for (let i = 0; i < 10; i++) average.update(1e-4);
    expect(average.tensors().weight?.dtype).toBe('float32');
    expect(average.tensors().weight).toBeAllclose([1, 1, 1].map((one) => one + 0.5 * (1 - 0.9999 ** 10)));
    average.swapIn();
    expect(model.weight.dtype).toBe('bfloat16');
    average.swapOut();
    expect(model.weight).toBeAllclose([1.5, 1.5, 1.5]);
    average.dispose();
  });

  test('adopts the average, and frees all it made', () => {
    using model = new MovingModel();
    const live = stats().liveTensors;
    const average = new WeightAverage(model);
    model.goTo(2);
    average.update(0.5);
    const expected = average.tensors().weight?.toBytes();
    average.adopt();
    expect(model.weight.toBytes()).toEqual(expected);
    average.swapIn();
    average.adopt();
    average.swapIn();
    average.dispose();
    expect(stats().liveTensors).toBe(live);
  });

  test('loads a copy of what fits, and names all that does not', () => {
    using model = new MovingModel();
    const [from, to] = [new WeightAverage(model), new WeightAverage(model)];
    model.goTo(9);
    from.update(0.3);
    to.load(from.tensors());
    expect(to.tensors().weight?.toBytes()).toEqual(from.tensors().weight?.toBytes());
    from.dispose();
    expect(to.tensors().weight?.disposed).toBe(false);
    const { weight, ...others } = to.tensors();
    const wrong = { ...others, running: weight as Tensor, more: weight as Tensor };
    expect(() => to.load(wrong)).toThrow(
      /weight: expected a tensor, got none\n {2}running: expected shape \[2\], got \[3\]\n {2}more: expected a key/,
    );
    to.dispose();
  });

  test('swaps in turn', () => {
    using model = new MovingModel();
    const average = new WeightAverage(model);
    expect(() => average.swapOut()).toThrow(
      'WeightAverage.swapOut: expected the average in the model, got it beside it',
    );
    average.swapIn();
    for (const run of [() => average.swapIn(), () => average.update(1)]) {
      expect(run).toThrow(ShallowsError);
      expect(run).toThrow('expected the average beside the model, got it in it');
    }
    average.dispose();
  });
});

import { noGrad, scope, stats, tensor, trace } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import { ClassificationMeter } from './classification-meter.js';
import { StreamingMean } from './streaming-mean.js';

const logits = [
  [2, 1, 0],
  [0, 3, 1],
  [1, 1, 1],
  [-5, 0, 5],
  [0.5, 0.25, 0],
];
const targets = [0n, 2n, 0n, 2n, 1n];

function crossEntropyOf(row: readonly number[], target: number): number {
  return Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0)) - (row[target] as number);
}

describe('ClassificationMeter', () => {
  test.each([1, 2, 5])('batches of %s: the means over all rows', (size) => {
    const meter = new ClassificationMeter();
    scope(() => {
      for (let i = 0; i < 5; i += size)
        meter.add(tensor(logits.slice(i, i + size)), tensor(targets.slice(i, i + size)));
    });
    const { loss, accuracy, count } = meter.result();
    const losses = logits.map((row, i) => crossEntropyOf(row, Number(targets[i])));
    expect(loss).toBeCloseTo(losses.reduce((a, b) => a + b) / 5, 6);
    // Rows 0, 2 (the first of equal logits counts) and 3.
    expect(accuracy).toBe(0.6);
    expect(count).toBe(5);
  });

  test('adding never waits for the device; the result is one copy', () => {
    const meter = new ClassificationMeter();
    scope(() => {
      const { calls } = trace(() => meter.add(tensor(logits), tensor(targets)));
      expect(calls.length).toBeGreaterThan(3);
      expect(calls.map(({ op }) => op)).not.toContain('aten::item');
      expect(calls.map(({ op }) => op)).not.toContain('aten::_local_scalar_dense');
    });
    meter.result();
  });

  test('frees what it made and starts anew', () => {
    const before = stats();
    const meter = new ClassificationMeter();
    scope(() => meter.add(tensor(logits), tensor(targets)));
    meter.result();
    expect(stats()).toEqual(before);
    expect(() => meter.result()).toThrow('expected at least one row, got none');
    scope(() => meter.add(tensor([[0, 1]]), tensor([1n])));
    expect(meter.result().accuracy).toBe(1);
  });

  test('a loss that is not a number stays one', () => {
    const meter = new ClassificationMeter();
    scope(() => meter.add(tensor([[Number.NaN, 1]]), tensor([1n])));
    expect(meter.result().loss).toBeNaN();
  });

  test('refuses other shapes', () => {
    const meter = new ClassificationMeter();
    scope(() => {
      expect(() => meter.add(tensor([1, 2]), tensor([1n]))).toThrow(
        'expected logits [B, C] and targets [B], got [2] and [1]',
      );
      expect(() => meter.add(tensor([[1, 2]]), tensor([1n, 0n]))).toThrow('got [1, 2] and [2]');
    });
  });
});

describe('StreamingMean', () => {
  test('weighs, and sums in float64', () => {
    const mean = new StreamingMean();
    expect(mean.result()).toBeNaN();
    scope(() => {
      mean.add(tensor(1), 3);
      mean.add(tensor([5]), 1);
    });
    expect(mean.result()).toBe(2);
    expect(mean.weight).toBe(4);
    mean.reset();
    // In float32 this sum would stop at 2^24.
    scope(() => {
      mean.add(tensor(1), 2 ** 24);
      mean.add(tensor(1), 1);
      mean.add(tensor(0), 1);
    });
    expect(mean.result()).toBe((2 ** 24 + 1) / (2 ** 24 + 2));
    mean.reset();
  });

  test('takes the loss of a graph without holding on to it', () => {
    const before = stats();
    {
      using mean = new StreamingMean();
      scope(() => {
        const weight = tensor([2], { requiresGrad: true });
        const loss = weight.mul(weight);
        mean.add(loss);
        loss.backward();
        expect(weight.grad?.item()).toBe(4);
      });
      expect(mean.result()).toBe(4);
    }
    expect(stats()).toEqual(before);
  });

  test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('refuses the weight %s', (weight) => {
    noGrad(() =>
      scope(() => expect(() => new StreamingMean().add(tensor(1), weight)).toThrow('expected a weight above 0')),
    );
  });

  test('refuses more than one element', () => {
    scope(() => expect(() => new StreamingMean().add(tensor([1, 2]))).toThrow('expected one element, got shape [2]'));
  });
});

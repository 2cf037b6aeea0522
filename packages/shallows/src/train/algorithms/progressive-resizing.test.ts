import { arange, randn, type Tensor, tensor, zeros } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import { fakeBatch, fakeTraining } from '../../../../../tests/support/fake-training.js';
import { ShallowsError } from '../../errors.js';
import { cifarResnet, vit } from '../../models/index.js';
import { rootKey } from '../../random/index.js';
import { type ProgressiveResizingOptions, progressiveResizing, resizedSides } from './progressive-resizing.js';

const settings = { initialScale: 0.5, delayFraction: 0.5, finetuneFraction: 0.2, sizeIncrement: 4 };
const key = rootKey(1);
const pictures = { inputShape: [3, 16, 16] };
const resnet = {
  model: cifarResnet({ depth: 8, classes: 3, key }),
  data: pictures,
  exampleRow: () => zeros([1, 3, 16, 16]),
};

describe('sides', () => {
  test("follow Composer's formula", () => {
    // scale = 0.5 + 0.5 · (t − 0.5) / 0.3, sides of 32 rounded to multiples of 4.
    const at = (fraction: number): number => resizedSides([32, 32], fraction, settings)[0];
    expect([0, 0.49, 0.5, 0.56, 0.65, 0.74, 0.79, 0.8, 1].map(at)).toEqual([16, 16, 16, 20, 24, 28, 32, 32, 32]);
  });

  test('of pictures that are not square are each rounded, and stay between an increment and the whole', () => {
    expect(resizedSides([30, 50], 0, settings)).toEqual([16, 24]);
    expect(resizedSides([6, 50], 0, { ...settings, initialScale: 0.1 })).toEqual([4, 4]);
    expect(resizedSides([30, 30], 0.79, settings)).toEqual([28, 28]);
    expect(resizedSides([30, 30], 0.8, settings)).toEqual([30, 30]);
    expect(resizedSides([3, 3], 0, settings)).toEqual([3, 3]);
    expect(resizedSides([33, 33], 0.8, settings)).toEqual([33, 33]);
  });

  test('jump where nothing is between delay and finetuning', () => {
    const jump = { ...settings, delayFraction: 0.6, finetuneFraction: 0.4 };
    expect([0.59, 0.6].map((fraction) => resizedSides([32, 32], fraction, jump)[0])).toEqual([16, 32]);
  });
});

function resizedAt(fraction: number, inputs: Tensor): Tensor {
  const training = fakeTraining(resnet);
  const batch = fakeBatch(inputs, tensor([0n, 1n]));
  const algorithm = progressiveResizing();
  void algorithm.onFitStart?.(training);
  training.progress = { ...training.progress, fraction };
  algorithm.onBatchStart?.(training, batch);
  return batch.inputs;
}

test('pictures are interpolated bilinearly: half the side is the mean of four pixels', () => {
  const inputs = randn([2, 3, 16, 16]);
  const means = inputs.reshape([2, 3, 8, 2, 8, 2]).mean([3, 5]);
  expect(resizedAt(0, inputs)).toBeAllclose(means, { rtol: 1e-5, atol: 1e-6 });
  const ramp = arange(0, 16, 1, { dtype: 'float32' }).expand([2, 3, 16, 16]);
  const at12 = Array.from({ length: 12 }, (_, i) => ((i + 0.5) * 16) / 12 - 0.5);
  expect(resizedAt(0.65, ramp).select(0, 0).select(0, 0).select(0, 0)).toBeAllclose(at12, { rtol: 1e-5 });
  expect(resizedAt(0.8, inputs)).toBe(inputs);
});

test('a model with a table of positions is an error when the run starts', () => {
  const model = vit({ size: 'ti', image: 16, patch: 4, classes: 3, dim: 8, depth: 1, heads: 2, key });
  const start = (): unknown => progressiveResizing().onFitStart?.(fakeTraining({ ...resnet, model }));
  expect(start).toThrow(ShallowsError);
  expect(start).toThrow(
    'progressiveResizing: expected a model that takes pictures of 8 × 8, got an error - use a network',
  );
});

test('inputs that are no pictures are an error when the run starts', () => {
  const start = (): unknown => progressiveResizing().onFitStart?.(fakeTraining({ data: { inputShape: [9] } }));
  expect(start).toThrow('progressiveResizing: expected pictures [C, H, W], got inputs [9]');
});

test.each<[ProgressiveResizingOptions, string]>([
  [{ initialScale: 0 }, 'progressiveResizing: initialScale: expected a number above 0, up to 1, got 0'],
  [{ delayFraction: 0.9, finetuneFraction: 0.2 }, 'delayFraction + finetuneFraction: expected at most 1, got 1.1'],
  [{ sizeIncrement: 0.5 }, 'sizeIncrement: expected a whole number from 1, got 0.5'],
])('%o is an error', (options, message) => {
  expect(() => progressiveResizing(options)).toThrow(ShallowsError);
  expect(() => progressiveResizing(options)).toThrow(message);
});

import { readFileSync } from 'node:fs';
import { fromTypedArray, scope, stats, type Tensor, tensor, zeros } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import { ShallowsError } from '../../errors.js';
import { crossEntropy } from '../../nn/index.js';
import { deriveKey, rootKey } from '../../random/index.js';
import { type Box, cutMixBox, drawCutMix, drawMixUp, lambdaOf, mixInputs, mixTargets } from './mixing.js';

interface Mixed {
  readonly inputs: readonly number[];
  readonly targets: readonly number[];
}
interface Cut {
  readonly given: number;
  readonly y: number;
  readonly x: number;
  readonly height: number;
  readonly width: number;
  readonly box: readonly [number, number, number, number];
  readonly lambda: number;
}
interface Reference {
  readonly mixUp: Mixed;
  readonly cutMix: Mixed;
  readonly timm: Mixed;
  readonly boxes: readonly Cut[];
  readonly timmBoxes: readonly Cut[];
}
const reference: Reference = JSON.parse(readFileSync(new URL('fixtures/mixing.json', import.meta.url), 'utf8'));

const shape = [4, 2, 5, 7];
const x = fromTypedArray(
  Float64Array.from({ length: 280 }, (_, i) => ((i * 7919 + 104729) % 1999) / 1000 - 1),
  shape,
);
const classes = tensor([2n, 0n, 1n, 2n]);
const before = Uint32Array.of(3, 0, 1, 2);
const mirrored = Uint32Array.of(3, 2, 1, 0);
const close = { rtol: 1e-12, atol: 1e-12 };
const narrow = { rtol: 1e-6, atol: 1e-7 };

describe("torchvision's MixUp and CutMix (fixtures/mixing.py)", () => {
  test('MixUp: pictures and targets', () => {
    const mix = { lambda: 0.3, partners: before, box: null };
    expect(mixInputs(x, mix).flatten()).toBeAllclose(reference.mixUp.inputs, close);
    expect(mixTargets(classes, mix, 3).flatten()).toBeAllclose(reference.mixUp.targets, narrow);
  });

  test('CutMix: pictures and targets', () => {
    const box = { top: 1, bottom: 3, left: 2, right: 6 };
    const mix = { lambda: lambdaOf(box, 5, 7), partners: before, box };
    const inputs = x.toBytes();
    expect(mixInputs(x, mix).flatten()).toBeAllclose(reference.cutMix.inputs, close);
    expect(x.toBytes()).toEqual(inputs);
    expect(mixTargets(classes, mix, 3).flatten()).toBeAllclose(reference.cutMix.targets, narrow);
  });

  test.each(reference.boxes)(
    'the box of λ $given at $y, $x in $height × $width',
    ({ given, y, x, height, width, box, lambda }) => {
      const got = cutMixBox(given, { y, x }, { height, width });
      expect(Object.values(got)).toEqual(box);
      expect(lambdaOf(got, height, width)).toBeCloseTo(lambda, 12);
    },
  );
});

describe("timm's Mixup (fixtures/mixing.py)", () => {
  test('pictures, and targets with label smoothing in the loss', () => {
    const mix = { lambda: 0.3, partners: mirrored, box: null };
    expect(mixInputs(x, mix).flatten()).toBeAllclose(reference.timm.inputs, close);
    const soft = mixTargets(classes, mix, 3);
    const smoothed = fromTypedArray(Float64Array.from(reference.timm.targets), [4, 3]);
    const logits = x.flatten(1).narrow(1, 0, 3);
    const expected = crossEntropy(logits, smoothed);
    expect(crossEntropy(logits, soft.to('float64'), { labelSmoothing: 0.1 })).toBeAllclose(expected, narrow);
  });

  test.each(reference.timmBoxes)(
    'the box of λ $given at $y, $x in $height × $width',
    ({ given, y, x, height, width, box, lambda }) => {
      const got = cutMixBox(given, { y, x }, { height, width });
      expect(Object.values(got)).toEqual(box);
      expect(lambdaOf(got, height, width)).toBeCloseTo(lambda, 12);
    },
  );
});

describe('draws', () => {
  const key = rootKey(3);

  test('are functions of the key', () => {
    expect(drawMixUp(key, 8, 0.4)).toEqual(drawMixUp(key, 8, 0.4));
    expect(drawCutMix(key, 8, 1, 32, 24)).toEqual(drawCutMix(key, 8, 1, 32, 24));
    expect(drawMixUp(key, 8, 0.4).lambda).toBe(drawMixUp(key, 5, 0.4).lambda);
    expect(drawMixUp(deriveKey(key, 1), 8, 0.4).lambda).not.toBe(drawMixUp(key, 8, 0.4).lambda);
  });

  test('of boxes stay in the picture, and λ is what they leave', () => {
    const mixes = Array.from({ length: 300 }, (_, i) => drawCutMix(deriveKey(key, i), 4, 1, 9, 6));
    for (const { box, lambda, partners } of mixes) {
      const { top, bottom, left, right } = box as Box;
      expect(0 <= top && top <= bottom && bottom <= 9 && 0 <= left && left <= right && right <= 6).toBe(true);
      expect(lambda).toBeCloseTo(1 - ((bottom - top) * (right - left)) / 54, 12);
      expect([...partners].toSorted()).toEqual([0, 1, 2, 3]);
    }
    expect(new Set(mixes.map(({ box }) => box?.top)).size).toBeGreaterThan(4);
    expect(new Set(mixes.map(({ box }) => box?.left)).size).toBeGreaterThan(3);
  });
});

test('numbers and probabilities as targets are mixed as inputs are', () => {
  const mix = { lambda: 0.25, partners: Uint32Array.of(1, 0), box: null };
  expect(mixTargets(tensor([[1], [3]]), mix, null).flatten()).toBeAllclose([2.5, 1.5]);
  const soft = mixTargets(tensor([0n, 2n]), mix, 3);
  expect(mixTargets(soft, mix, 3).flatten()).toBeAllclose([0.625, 0, 0.375, 0.375, 0, 0.625]);
});

test('a row and a partner of one class have it whole', () => {
  const soft = mixTargets(tensor([1n, 1n]), { lambda: 0.3, partners: Uint32Array.of(1, 0), box: null }, 2);
  expect(soft.flatten()).toBeAllclose([0, 1, 0, 1]);
});

test('tokens, and classes without their number, are errors', () => {
  const mix = { lambda: 0.3, partners: Uint32Array.of(1, 0), box: null };
  const tokens = zeros([2, 3], { dtype: 'int64' });
  for (const run of [() => mixTargets(tokens, mix, 3), () => mixTargets(tensor([0n, 1n]), mix, null)]) {
    expect(run).toThrow(ShallowsError);
    expect(run).toThrow('mixTargets: expected class numbers [B] and the number of classes');
  }
});

test('frees what it makes', () => {
  const live = stats().liveTensors;
  scope((): Tensor[] => {
    const mix = drawCutMix(rootKey(1), 4, 1, 5, 7);
    mixInputs(x, mix);
    mixTargets(classes, mix, 3);
    return [];
  });
  expect(stats().liveTensors).toBe(live);
});

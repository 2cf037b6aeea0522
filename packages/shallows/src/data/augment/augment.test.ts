import { readFileSync } from 'node:fs';
import { fromTypedArray, noGrad, scope, stats, type Tensor } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import { deriveKey, rootKey } from '../../random/index.js';
import { adjustBrightness, adjustContrast, adjustHue, adjustSaturation } from './colour.js';
import { applyColourJitter, drawColourJitter } from './colour-jitter.js';
import { applyRandAugment, type RandAugmentName, randAugmentMagnitude, randAugmentNames } from './rand-augment.js';
import { applyErasing, drawErasing } from './random-erasing.js';
import { applyResizedCrops, drawResizedCrops } from './resized-crop.js';
import { adjustSharpness, autoContrast, equalize, posterize, solarize } from './tone.js';

interface Moments {
  readonly count: number;
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

type Listed = readonly number[];

const torchvision = JSON.parse(readFileSync(new URL('fixtures/augmentations.json', import.meta.url), 'utf8')) as Record<
  'images' | 'factors' | 'hues' | 'brightness' | 'contrast' | 'saturation' | 'sharpness' | 'hue' | 'autoContrast',
  Listed
> &
  Record<'equalize' | 'resizedCrops' | 'greyContrast' | 'greyHue' | 'greyEqualize' | 'fallback' | 'erased', Listed> & {
    readonly shape: readonly [number, number, number, number];
    readonly posterize: Readonly<Record<string, Listed>>;
    readonly solarize: Readonly<Record<string, Listed>>;
    readonly boxes: readonly (readonly [number, number, number, number])[];
    readonly cropMoments: Moments;
    readonly eraseMoments: Moments;
    readonly eraseNone: number;
    readonly randAugment: readonly {
      readonly name: RandAugmentName;
      readonly magnitude: number;
      readonly value: number;
      readonly signed: boolean;
      readonly sign: number;
      readonly result: string;
    }[];
  };

const { shape, factors, hues } = torchvision;
const [count, , height, width] = shape;
const images = fromTypedArray(Uint8Array.from(torchvision.images), shape);
const grey = images.narrow(1, 0, 1).contiguous();
const key = deriveKey(rootKey(11), 'augment');
const rows = (n: number): Uint32Array => Uint32Array.from({ length: n }, (_, i) => i);

/** All pixels are right, but for one in a hundred: another processor may round a sum or a place to the other side. */
function expectPixels(tensor: Tensor, expected: ArrayLike<number>, what = ''): void {
  const values = Array.from(tensor.toArray(), Number);
  expect(values.length).toBe(expected.length);
  const differing = values.filter((value, i) => value !== expected[i]).length;
  expect({ what, few: differing <= values.length / 100 ? 'few' : differing }).toEqual({ what, few: 'few' });
}

describe("torchvision's changes of uint8 pictures, pixel by pixel", () => {
  const cases: [string, (x: Tensor) => Tensor, Listed][] = [
    ['brightness', (x) => adjustBrightness(x, factors), torchvision.brightness],
    ['contrast', (x) => adjustContrast(x, factors), torchvision.contrast],
    ['saturation', (x) => adjustSaturation(x, factors), torchvision.saturation],
    ['sharpness', (x) => adjustSharpness(x, factors), torchvision.sharpness],
    ['hue', (x) => adjustHue(x, hues), torchvision.hue],
    ['autoContrast', autoContrast, torchvision.autoContrast],
    ['equalize', equalize, torchvision.equalize],
    ...Object.entries(torchvision.posterize).map(([bits, expected]): [string, (x: Tensor) => Tensor, Listed] => [
      `posterize ${bits}`,
      (x) => posterize(x, Number(bits)),
      expected,
    ]),
    ...Object.entries(torchvision.solarize).map(([from, expected]): [string, (x: Tensor) => Tensor, Listed] => [
      `solarize ${from}`,
      (x) => solarize(x, Number(from)),
      expected,
    ]),
    [
      'resized crops',
      (x) =>
        applyResizedCrops(
          x,
          torchvision.boxes.map(([top, left, h, w]) => ({ top, left, height: h, width: w })),
        ),
      torchvision.resizedCrops,
    ],
  ];
  test.each(cases)('%s', (_, change, expected) => {
    expect(expected.length).toBe(torchvision.images.length);
    scope(() => {
      const result = change(images);
      expect(result.dtype).toBe('uint8');
      expectPixels(result, expected);
    });
    expect([...images.toBytes()]).toEqual(torchvision.images);
  });

  test('grey pictures', () =>
    scope(() => {
      expectPixels(adjustContrast(grey, factors), torchvision.greyContrast);
      expectPixels(adjustHue(grey, hues), torchvision.greyHue);
      expectPixels(adjustSaturation(grey, factors), grey.toBytes());
      expectPixels(equalize(grey), torchvision.greyEqualize);
    }));

  test('RandAugment: every operation at some magnitudes, both ways', () => {
    const two = images.narrow(0, 0, 2);
    expect(new Set(torchvision.randAugment.map(({ name }) => name))).toEqual(new Set(randAugmentNames));
    for (const { name, magnitude, value, signed, sign, result } of torchvision.randAugment) {
      expect(randAugmentMagnitude(name, magnitude, 31, [height, width])).toEqual({ value, signed });
      scope(() => {
        const draw = { name, magnitude: sign * value };
        const made = applyRandAugment(two.clone(), [[draw, draw]]);
        expectPixels(made, Buffer.from(result, 'hex'), `${name} ${sign * value}`);
      });
    }
  });
});

test('RandAugment on a mixed batch: each picture as it is alone', () =>
  scope(() => {
    const value = (name: RandAugmentName): number => randAugmentMagnitude(name, 12, 31, [height, width]).value;
    const turns = [
      ['rotate', 'equalize', 'shearX', 'identity'],
      ['brightness', 'rotate', 'identity', 'brightness'],
      ['solarize', 'solarize', 'translateY', 'sharpness'],
    ] as const;
    const draws = turns.map((names) =>
      names.map((name, i) => ({ name, magnitude: (i % 2 === 0 ? 1 : -1) * value(name) })),
    );
    for (const turn of draws)
      for (const draw of turn) if (draw.name === 'solarize') Object.assign(draw, { magnitude: value('solarize') });
    const together = applyRandAugment(images.clone(), draws);
    for (let i = 0; i < count; i++) {
      const alone = applyRandAugment(
        images.narrow(0, i, 1).clone(),
        draws.map((turn) => turn.slice(i, i + 1)),
      );
      expectPixels(together.narrow(0, i, 1), alone.toBytes());
    }
  }));

describe('drawn parts', () => {
  // 5 standard errors of the difference of two means: a false alarm in 1.7 million a comparison.
  const like = (own: readonly (readonly number[])[], theirs: Moments): void => {
    for (const [i, mean] of theirs.mean.entries()) {
      const values = own.map((row) => row[i] ?? Number.NaN);
      const average = values.reduce((sum, each) => sum + each, 0) / values.length;
      const std = Math.sqrt(values.reduce((sum, each) => sum + (each - average) ** 2, 0) / values.length);
      const deviation = theirs.std[i] ?? Number.NaN;
      const error = deviation * Math.sqrt(1 / own.length + 1 / theirs.count);
      expect(Math.abs(average - mean) / error).toBeLessThan(5);
      expect(std / deviation).toBeGreaterThan(0.95);
      expect(std / deviation).toBeLessThan(1.05);
    }
  };
  const n = 20_000;

  test("random resized crops have the moments of torchvision's", () => {
    const boxes = drawResizedCrops({ scale: [0.08, 1], ratio: [3 / 4, 4 / 3] }, key, rows(n), [40, 60]);
    like(
      boxes.map(({ top, left, height: h, width: w }) => [top, left, h, w]),
      torchvision.cropMoments,
    );
    for (const { top, left, height: h, width: w } of boxes)
      expect(top + h <= 40 && left + w <= 60 && h > 0 && w > 0).toBe(true);
  });

  test('a crop that never fits is the centred one', () => {
    const [top, left, h, w] = torchvision.fallback;
    expect(drawResizedCrops({ scale: [0.9, 1], ratio: [3 / 4, 4 / 3] }, key, rows(5), [10, 90])).toEqual(
      Array.from({ length: 5 }, () => ({ top, left, height: h, width: w })),
    );
  });

  test("erased parts have the moments of torchvision's", () => {
    const settings = { probability: 1, scale: [0.02, 0.33], ratio: [0.3, 3.3], value: 0 } as const;
    const boxes = drawErasing(settings, key, rows(n), [40, 60]);
    const found = boxes.flatMap((box) => (box === null ? [] : [[box.top, box.left, box.height, box.width]]));
    like(found, torchvision.eraseMoments);
    expect(n - found.length - torchvision.eraseNone).toBeLessThan(20);
    // A half of the pictures: 5 standard deviations of a binomial count.
    const half = drawErasing({ ...settings, probability: 0.5 }, key, rows(n), [40, 60]).filter(
      (box) => box !== null,
    ).length;
    expect(Math.abs(half - n / 2)).toBeLessThan(5 * Math.sqrt(n / 4));
  });

  test('a row has the same part whatever batch it is in', () => {
    const settings = { scale: [0.08, 1], ratio: [3 / 4, 4 / 3] } as const;
    const all = drawResizedCrops(settings, key, rows(50), [20, 20]);
    expect(drawResizedCrops(settings, key, Uint32Array.of(7, 3), [20, 20])).toEqual([all[7], all[3]]);
    expect(drawResizedCrops(settings, deriveKey(key, 'other'), rows(50), [20, 20])).not.toEqual(all);
  });
});

describe('applyErasing', () => {
  const box = { top: 1, left: 2, height: 2, width: 3 };
  const picture = (): Tensor =>
    fromTypedArray(
      Float32Array.from({ length: 40 }, (_, i) => i),
      [1, 2, 4, 5],
    );

  test("fills the part, as torchvision's erase does", () =>
    scope(() => {
      expect(applyErasing(picture(), [box], 7.5, key, rows(1))).toBeAllclose(torchvision.erased);
      expect(applyErasing(picture(), [null], 7.5, key, rows(1))).toBeAllclose(picture());
    }));

  test('noise: new in each channel and row, the same for the same row', () =>
    scope(() => {
      const [a, b, c] = [0, 0, 1].map((row) =>
        applyErasing(picture(), [box], 'noise', key, Uint32Array.of(row)).toArray(),
      );
      expect(a).toEqual(b);
      expect(a).not.toEqual(c);
      const changed = Array.from(a ?? [], Number).flatMap((value, i) => (value === i ? [] : [i]));
      expect(changed).toEqual([7, 8, 9, 12, 13, 14, 27, 28, 29, 32, 33, 34]);
    }));
});

test('colour jitter: each picture goes through its own changes in its own order', () =>
  scope(() => {
    const draws = drawColourJitter({ brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.2 }, key, rows(count));
    const changes = [adjustBrightness, adjustContrast, adjustSaturation, adjustHue];
    const together = applyColourJitter(images.clone(), draws);
    for (const [i, order] of draws.orders.entries()) {
      let alone = images.narrow(0, i, 1);
      for (const which of order) alone = changes[which]?.(alone, [draws.factors[which]?.[i] ?? Number.NaN]) ?? alone;
      expectPixels(together.narrow(0, i, 1), alone.toBytes());
    }
  }));

test('colour jitter: ranges, all orders, and nothing where the extent is 0', () => {
  const n = 24_000;
  const { orders, factors: drawn } = drawColourJitter(
    { brightness: 2, contrast: 0.5, saturation: 0, hue: 0.1 },
    key,
    rows(n),
  );
  const limits = [[0, 3], [0.5, 1.5], null, [-0.1, 0.1]];
  for (const [i, limit] of limits.entries()) {
    const values = drawn[i] ?? null;
    if (limit === null || values === null) {
      expect([limit, values]).toEqual([null, null]);
      continue;
    }
    const [low = 0, high = 0] = limit;
    expect(Math.min(...values)).toBeGreaterThanOrEqual(low);
    expect(Math.max(...values)).toBeLessThan(high);
    // Of 24,000 uniform numbers some are within a thousandth of the range of either end (missed once in e^24).
    expect(Math.min(...values)).toBeLessThan(low + (high - low) / 1000);
    expect(Math.max(...values)).toBeGreaterThan(high - (high - low) / 1000);
  }
  const counts = new Map<string, number>();
  for (const order of orders) counts.set(order.join(''), (counts.get(order.join('')) ?? 0) + 1);
  expect(counts.size).toBe(24);
  const chiSquare = [...counts.values()].reduce((sum, found) => sum + (found - 1000) ** 2 / 1000, 0);
  // 99.9 % point with 23 degrees of freedom.
  expect(chiSquare).toBeLessThan(49.73);
});

test('leaves no tensors behind', () => {
  const before = stats().liveTensors;
  noGrad(() =>
    scope(
      () =>
        void applyRandAugment(images.clone(), [randAugmentNames.slice(0, 4).map((name) => ({ name, magnitude: 0.1 }))]),
    ),
  );
  expect(stats().liveTensors).toBe(before);
});

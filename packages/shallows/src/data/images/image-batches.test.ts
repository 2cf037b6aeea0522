import { getNumThreads, setNumThreads, stats } from '@shallows/torch';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deriveKey, rootKey } from '../../random/index.js';
import { drawAugmentation } from '../augment/crop-flip.js';
import { batches } from '../batches.js';
import type { Augmentation } from '../config.js';
import type { BatchOptions } from '../dataset.js';
import { type ImageDataset, imageDataset } from './image-dataset.js';

const [N, C, H, W] = [23, 3, 6, 8];
const pixels = Uint8Array.from({ length: N * C * H * W }, (_, i) => (Math.imul(i, 2654435761) >>> 9) % 256);
const labels = Int32Array.from({ length: N }, (_, i) => i % 5);
const normalise = { mean: [0.5, 0.25, 0.125], std: [0.2, 0.3, 0.4] };
const key = deriveKey(rootKey(7), 'test');
const augment: Augmentation = { crop: { padding: 2 }, flip: true };
let set: ImageDataset;

beforeAll(() => {
  set = imageDataset('set', { pixels, labels, shape: [C, H, W] }, ['a', 'b', 'c', 'd', 'e']);
});
afterAll(() => set.dispose());

interface Seen {
  readonly shape: readonly number[];
  readonly indices: number[];
  readonly targets: number[];
  /** Pixels of each row by its index in the dataset. */
  readonly rows: Map<number, string>;
}

function look(options: Partial<BatchOptions>, which?: number): Seen {
  const source = batches(set, { batchSize: 5, normalise, key, shuffle: true, augment, ...options });
  const seen = {
    shape: [] as readonly number[],
    indices: [] as number[],
    targets: [] as number[],
    rows: new Map<number, string>(),
  };
  for (let i = which ?? 0; i < (which === undefined ? source.length : which + 1); i++) {
    const { inputs, targets, indices, size } = source.at(i);
    seen.shape = inputs.shape;
    seen.indices.push(...indices);
    seen.targets.push(...Array.from(targets.toArray(), Number));
    const values = inputs.toArray();
    for (const [b, row] of indices.entries())
      seen.rows.set(row, values.slice((b * values.length) / size, ((b + 1) * values.length) / size).join());
    inputs.dispose();
    targets.dispose();
  }
  return seen;
}

/** Pixel (y, x) of a row, after normalisation; zero outside the picture. */
function pixel(row: number, c: number, y: number, x: number): number {
  if (y < 0 || y >= H || x < 0 || x >= W) return 0;
  const value = pixels[((row * C + c) * H + y) * W + x] as number;
  return (value / 255 - (normalise.mean[c] as number)) / (normalise.std[c] as number);
}

/** Crop and flip of one pixel at a time, as the definition has it. */
function naive(own: Augmentation, epoch: number, rows: Uint32Array): number[] {
  const { top, left, mirrored } = drawAugmentation(own, deriveKey(key, 'augment', epoch), rows);
  const padding = own.crop?.padding ?? 0;
  const out: number[] = [];
  for (const [b, row] of rows.entries()) {
    for (let c = 0; c < C; c++) {
      for (let y = 0; y < H; y++) {
        for (let x = 0; x < W; x++) {
          const column = mirrored?.[b] === 1 ? W - 1 - x : x;
          out.push(pixel(row, c, y + (top?.[b] ?? padding) - padding, column + (left?.[b] ?? padding) - padding));
        }
      }
    }
  }
  return out;
}

describe('batches', () => {
  test.each([
    ['nothing', {}],
    ['crop', { crop: { padding: 2 } }],
    ['a crop that can leave the picture', { crop: { padding: 9 } }],
    ['flip', { flip: true }],
    ['crop and flip', augment],
  ])('%s: the pixels are those of the definition', (_, own: Augmentation) => {
    const source = batches(set, { batchSize: 20, normalise, key, epoch: 3, shuffle: true, augment: own });
    const { inputs, indices } = source.at(0);
    expect(inputs.shape).toEqual([20, C, H, W]);
    expect(inputs.dtype).toBe('float32');
    expect(inputs).toBeAllclose(naive(own, 3, indices), { rtol: 1e-5, atol: 1e-6 });
    inputs.dispose();
  });

  test('padding is exactly zero', () => {
    const rows = new Set(look({ augment: { crop: { padding: 9 } } }).rows.values());
    // Nothing normalises to 0 here (0.5, 0.25 and 0.125 are no multiples of 1/255), so zeros are padding.
    expect([...rows].every((row) => row.split(',').includes('0'))).toBe(true);
    expect([...look({ augment: {} }).rows.values()].some((row) => row.split(',').includes('0'))).toBe(false);
  });

  test('one epoch holds each row once, with its label', () => {
    const { indices, targets } = look({});
    expect([...indices].sort((a, b) => a - b)).toEqual(Array.from({ length: N }, (_, i) => i));
    expect(targets).toEqual(indices.map((i) => i % 5));
    expect(indices).not.toEqual([...indices].sort((a, b) => a - b));
  });

  test('batch i is a function of (key, epoch, i), whatever was made before', () => {
    const whole = look({});
    expect(look({}, 3)).toEqual({ ...look({}, 3), indices: whole.indices.slice(15, 20) });
    expect(look({}).rows).toEqual(whole.rows);
    const threads = getNumThreads();
    setNumThreads(threads === 1 ? 2 : 1);
    expect(look({}).rows).toEqual(whole.rows);
    setNumThreads(threads);
  });

  test('another epoch or key has another order and other pictures', () => {
    const base = look({});
    for (const other of [look({ epoch: 1 }), look({ key: deriveKey(key, 'other') })]) {
      expect(other.indices).not.toEqual(base.indices);
      expect([...other.rows].filter(([row, values]) => base.rows.get(row) === values).length).toBeLessThan(N / 2);
    }
  });

  test('the picture of a row depends neither on the batch size nor on the order', () => {
    const base = look({});
    expect(look({ batchSize: 23 }).rows).toEqual(base.rows);
    expect(look({ batchSize: 1, shuffle: false }).rows).toEqual(base.rows);
  });

  test('with every augmentation: the picture of a row depends on (key, epoch, row) alone', () => {
    const every: Augmentation = {
      randomResizedCrop: {},
      colourJitter: { brightness: 0.4, contrast: 0.4, saturation: 0.4, hue: 0.1 },
      randAugment: { operations: 3 },
      flip: true,
      randomErasing: { probability: 0.7, value: 'noise' },
    };
    const base = look({ augment: every });
    expect(look({ augment: every, batchSize: 23 }).rows).toEqual(base.rows);
    expect(look({ augment: every, batchSize: 1, shuffle: false }).rows).toEqual(base.rows);
    const plain = look({ augment: {} }).rows;
    expect([...base.rows].every(([row, values]) => plain.get(row) !== values)).toBe(true);
    for (const name of ['randomResizedCrop', 'colourJitter', 'randAugment', 'flip', 'randomErasing'] as const) {
      const without = look({ augment: { ...every, [name]: undefined } }).rows;
      expect([...base.rows].some(([row, values]) => without.get(row) !== values)).toBe(true);
    }
  });

  test('each augmentation draws by itself: one more does not change what the others do', () => {
    const cropped = look({ augment: { crop: { padding: 2 }, flip: true } });
    const erased = look({
      augment: { crop: { padding: 2 }, flip: true, randomErasing: { probability: 1, value: 99 } },
    });
    for (const [row, values] of erased.rows) {
      const before = (cropped.rows.get(row) ?? '').split(',');
      expect(values.split(',').every((value, i) => value === '99' || value === before[i])).toBe(true);
    }
  });

  test('the order does not depend on the augmentation', () => {
    expect(look({ augment: {} }).indices).toEqual(look({}).indices);
  });

  test('without shuffle and augmentation: the dataset as it is, without a key', () => {
    const source = batches(set, { batchSize: 10, normalise });
    expect(source.length).toBe(3);
    const { inputs, indices, targets, size } = source.at(2);
    expect([...indices]).toEqual([20, 21, 22]);
    expect(size).toBe(3);
    expect([...targets.toArray()].map(Number)).toEqual([0, 1, 2]);
    expect(inputs).toBeAllclose(naive({}, 0, indices), { rtol: 1e-5, atol: 1e-6 });
    inputs.dispose();
    targets.dispose();
  });

  test('dropLast leaves out the rest, rows the rows after the first', () => {
    expect(look({ dropLast: true }).indices.length).toBe(20);
    expect(look({ dropLast: true, batchSize: 24 }).indices).toEqual([]);
    expect(look({ rows: 7 }).indices.sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(look({ rows: 1000 }).indices.length).toBe(N);
  });

  test('a batch owns two tensors; its temporaries are freed', () => {
    const source = batches(set, { batchSize: 5, normalise, key, shuffle: true, augment });
    const before = stats();
    for (let i = 0; i < source.length; i++) {
      const { inputs, targets } = source.at(i);
      expect(stats().liveTensors).toBe(before.liveTensors + 2);
      inputs.dispose();
      targets.dispose();
    }
    expect(stats()).toEqual(before);
  });

  test.each<[Partial<BatchOptions>, string]>([
    [{ batchSize: 0 }, 'expected a whole number from 1 as batchSize, got 0'],
    [{ batchSize: 2.5 }, 'as batchSize, got 2.5'],
    [{ epoch: -1 }, 'expected a whole number from 0 as epoch, got -1'],
    [{ rows: 0 }, 'expected a whole number from 1 as rows, got 0'],
    [{ augment: { crop: { padding: -1 } } }, 'as augment.crop.padding, got -1'],
    [
      { augment: { crop: { padding: 1 }, randomResizedCrop: {} } },
      'expected one of augment.crop and augment.randomResizedCrop, got both',
    ],
    [
      { augment: { randomResizedCrop: { scale: [0, 1] } } },
      'above 0, up to 1, as augment.randomResizedCrop.scale, got [0, 1]',
    ],
    [{ augment: { randomResizedCrop: { ratio: [2, 1] } } }, 'above 0, as augment.randomResizedCrop.ratio, got [2, 1]'],
    [
      { augment: { colourJitter: { hue: 0.6 } } },
      'expected a number from 0 to 0.5 as augment.colourJitter.hue, got 0.6',
    ],
    [{ augment: { colourJitter: { contrast: -1 } } }, 'as augment.colourJitter.contrast, got -1'],
    [
      { augment: { randAugment: { magnitude: 31 } } },
      'expected a whole number from 0 to 30 as augment.randAugment.magnitude, got 31',
    ],
    [{ augment: { randAugment: { operations: 0 } } }, 'as augment.randAugment.operations, got 0'],
    [
      { augment: { randomErasing: { probability: 2 } } },
      'expected a number from 0 to 1 as augment.randomErasing.probability, got 2',
    ],
    [
      { augment: { randomErasing: { value: Number.NaN } } },
      "expected a number or 'noise' as augment.randomErasing.value, got NaN",
    ],
    [{ normalise: { mean: [0], std: [1] } }, 'expected a mean and a std for each of 3 channels, got 1 and 1'],
    [{ key: undefined }, 'expected a key for shuffle or augment, got none'],
    [{ key: undefined, shuffle: false, augment: { flip: true } }, 'expected a key for shuffle or augment'],
  ])('refuses %j', (options, message) => {
    expect(() => look(options)).toThrow(message);
  });

  test.each([-1, 5, 0.5, Number.NaN])('refuses batch %s of 5', (i) => {
    expect(() => batches(set, { batchSize: 5, normalise }).at(i)).toThrow('expected a batch from 0 to 4');
  });
});

test('colours of pictures that are neither grey nor RGB', () => {
  using two = imageDataset(
    'two',
    { pixels: pixels.subarray(0, 2 * 4 * 4), labels: Int32Array.of(0), shape: [2, 4, 4] },
    ['a'],
  );
  for (const own of [{ randAugment: {} }, { colourJitter: { hue: 0.1 } }])
    expect(() => batches(two, { batchSize: 1, key, augment: own })).toThrow(
      'expected pictures of 1 or 3 channels for augment.',
    );
  using grey = imageDataset('grey', { pixels: pixels.subarray(0, 16), labels: Int32Array.of(0), shape: [1, 4, 4] }, [
    'a',
  ]);
  const { inputs, targets } = batches(grey, {
    batchSize: 1,
    key,
    augment: { randAugment: {}, colourJitter: { hue: 0.1, contrast: 0.3 } },
  }).at(0);
  expect(inputs.shape).toEqual([1, 1, 4, 4]);
  inputs.dispose();
  targets.dispose();
});

test('offsets and flips are even (chi-square at 0.1 % false alarms)', () => {
  const rows = Uint32Array.from({ length: 30_000 }, (_, i) => i);
  const { top, left, mirrored } = drawAugmentation({ crop: { padding: 4 }, flip: true }, key, rows);
  const chiSquare = (values: ArrayLike<number>, bins: number): number => {
    const counts = Array.from({ length: bins }, () => 0);
    for (const value of Array.from(values)) counts[value] = (counts[value] ?? Number.NaN) + 1;
    const expected = rows.length / bins;
    return counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  };
  // 99.9 % points: 26.12 with 8 degrees of freedom, 10.83 with 1, 124.84 with 80 (9 x 9 places).
  expect(chiSquare(top ?? [], 9)).toBeLessThan(26.12);
  expect(chiSquare(left ?? [], 9)).toBeLessThan(26.12);
  expect(chiSquare(mirrored ?? [], 2)).toBeLessThan(10.83);
  const places = Array.from(top ?? [], (y, i) => 9 * y + (left?.[i] ?? Number.NaN));
  expect(chiSquare(places, 81)).toBeLessThan(124.84);
});

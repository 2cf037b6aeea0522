import { describe, expect, test } from 'vitest';
import { deriveKey, rootKey } from '../../random/index.js';
import { contentDigest } from '../images/image-dataset.js';
import { sliceTable } from '../table.js';
import { oklch } from './colour.js';
import { shapes } from './shapes.js';
import { textureClasses, textures } from './textures.js';

const key = deriveKey(rootKey(5), 'test');

test('ten classes', () => {
  expect(new Set(textureClasses).size).toBe(10);
});

describe('textures', () => {
  test('row i is a function of (key, i): more rows do not change the first', () => {
    const few = textures({ key, count: 30, noise: 0.3 });
    const many = textures({ key, count: 50, noise: 0.3 });
    expect(few.shape).toEqual([3, 32, 32]);
    expect(contentDigest(sliceTable(many, 0, 30), textureClasses)).toBe(contentDigest(few, textureClasses));
    expect(contentDigest(textures({ key: rootKey(6), count: 30, noise: 0.3 }), textureClasses)).not.toBe(
      contentDigest(few, textureClasses),
    );
  });

  test('the same pictures for all time', () => {
    expect(contentDigest(textures({ key: rootKey(0), count: 200, noise: 0.1 }), textureClasses)).toBe(
      '9e31c12e7a8231fdc9a7a036d14e4e75e1c3ab5416b7ab3dc44cb9a409280f88',
    );
  });

  test('classes are balanced, and noise is the share of wrong labels', () => {
    const clean = textures({ key, count: 2000, size: 8 });
    expect([...clean.labels].every((label, i) => label === i % 10)).toBe(true);
    const noisy = textures({ key, count: 2000, noise: 0.1, size: 8 });
    const wrong = [...noisy.labels].filter((label, i) => label !== i % 10).length;
    // 200 +- 3.29 standard deviations of 13.4: a fair draw is outside once in a thousand times.
    expect(Math.abs(wrong - 200)).toBeLessThan(45);
    expect(noisy.labels.every((label) => label >= 0 && label < 10)).toBe(true);
    // Noise changes labels alone.
    expect(Buffer.compare(noisy.pixels, clean.pixels)).toBe(0);
    expect([...textures({ key, count: 100, noise: 1, size: 8 }).labels].some((label, i) => label === i % 10)).toBe(
      false,
    );
  });

  test('no two of 300 pictures are alike, and each has contrast', () => {
    const { pixels } = textures({ key, count: 300 });
    const seen = new Set<string>();
    for (let i = 0; i < 300; i++) {
      const own = pixels.subarray(3072 * i, 3072 * (i + 1));
      const mean = own.reduce((sum, value) => sum + value, 0) / 3072;
      const deviation = Math.sqrt(own.reduce((sum, value) => sum + (value - mean) ** 2, 0) / 3072);
      expect(deviation).toBeGreaterThan(10);
      seen.add(Buffer.from(own).toString('latin1'));
    }
    expect(seen.size).toBe(300);
  });

  test.each([
    [{ count: -1 }, 'expected a count from 0, got -1'],
    [{ count: 1.5 }, 'expected a count from 0, got 1.5'],
    [{ count: 1, size: 4 }, 'expected a size from 8 to 4096 pixels, got 4'],
    [{ count: 1, noise: 1.5 }, 'expected a probability in [0, 1], got 1.5'],
    [{ count: 1, noise: Number.NaN }, 'expected a probability'],
  ])('refuses %j', (options, message) => {
    expect(() => textures({ key, ...options })).toThrow(message);
  });
});

test.each(shapes)('$name: about as large as the unit disc, with a distance that no step overtakes', ({ distance }) => {
  let inside = 0;
  let reach = 0;
  let steepest = 0;
  for (let i = 0; i < 100; i++) {
    for (let j = 0; j < 100; j++) {
      const [x, y] = [(i + 0.5) / 33 - 1.515, (j + 0.5) / 33 - 1.515];
      const here = distance(x, y);
      if (here < 0) inside++;
      if (here < 0) reach = Math.max(reach, Math.hypot(x, y));
      const across = Math.abs(distance(x + 0.01, y) - here);
      steepest = Math.max(steepest, across / 0.01, Math.abs(distance(x, y + 0.01) - here) / 0.01);
    }
  }
  expect(reach).toBeLessThan(1.15);
  expect(steepest).toBeLessThan(1.0001);
  const area = inside / 33 ** 2;
  expect(area).toBeGreaterThan(0.7);
  expect(area).toBeLessThan(3);
});

test('oklch: grey has equal channels, known colours come out (within rounding of the matrices)', () => {
  for (const [i, channel] of oklch(1, 0, 0.3).entries()) expect(channel, `white ${i}`).toBeCloseTo(1, 3);
  expect(oklch(0, 0, 0)).toEqual([0, 0, 0]);
  const red = oklch(0.62796, 0.25768, 29.234 / 360);
  expect(red[0]).toBeCloseTo(1, 3);
  expect(red[1]).toBeCloseTo(0, 1);
  expect(red[2]).toBeCloseTo(0, 1);
});

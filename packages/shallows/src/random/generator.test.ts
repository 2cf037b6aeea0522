import { Generator, rand } from '@shallows/torch';
import { expect, test } from 'vitest';
import { generator } from './generator.js';
import { deriveKey, rootKey } from './key.js';

const draw = (seed: number, ...path: string[]): number[] => [
  ...(rand([8], { generator: generator(deriveKey(rootKey(seed), ...path)) }).toArray() as Float32Array),
];

test('a key gives its own libtorch stream, the same each time', () => {
  expect(draw(1)).toEqual(draw(1));
  expect(draw(1)).not.toEqual(draw(2));
  expect(draw(1, 'a')).not.toEqual(draw(1, 'b'));
  expect(new Set(draw(1)).size).toBe(8);
});

test('its seed is not the bits of the key: CUDA draws with the same Philox as uniform(key)', () => {
  const raw = rand([8], { generator: new Generator('cpu', 1) });
  expect(draw(1)).not.toEqual([...(raw.toArray() as Float32Array)]);
});

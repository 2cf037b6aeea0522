import { expect, test } from 'vitest';
import { PageMemory } from './page-memory.js';

test('what is taken does not overlap, begins at multiples of 8, and is used again', () => {
  const memory = new PageMemory();
  const lengths = [10, 3, 8, 0, 100, 7, 1];
  const takeAll = () => lengths.map((length, i) => memory.take(length).fill(i + 1));
  const check = (all: readonly Uint8Array[]): void => {
    for (const [i, bytes] of all.entries()) {
      expect(bytes.byteOffset % 8).toBe(0);
      expect([...bytes]).toEqual(Array(lengths[i] ?? 0).fill(i + 1));
    }
  };
  check(takeAll());
  memory.reuse();
  check(takeAll());
  memory.reuse();
  const first = memory.take(5);
  memory.reuse();
  const second = memory.take(5);
  expect([second.buffer === first.buffer, second.byteOffset]).toEqual([true, first.byteOffset]);
});

import { describe, expect, test } from 'vitest';
import { rootKey } from '../random/index.js';
import { byRowKeys, callsSlot, evaluation, passOfRows, repeatable, rowKeysSlot, trainingPass } from './index.js';
import { requireRowKeys } from './row-keys.js';

const keys = [1, 1, 2, 3, 1].map((seed) => rootKey(seed));
const pass = () => trainingPass({ key: rootKey(9) });

describe('keys of rows', () => {
  test('go with the rows that are kept', () => {
    const own = pass().with(rowKeysSlot, keys);
    expect(passOfRows(own, { start: 1, length: 2 }).get(rowKeysSlot)).toEqual([rootKey(1), rootKey(2)]);
    expect(passOfRows(own, { index: [4, 2] }).get(rowKeysSlot)).toEqual([rootKey(1), rootKey(2)]);
    const plain = pass();
    expect(passOfRows(plain, { start: 0, length: 1 })).toBe(plain);
  });

  test('are as many as rows', () => {
    expect(requireRowKeys('fn', pass(), 3)).toBeNull();
    expect(requireRowKeys('fn', pass().with(rowKeysSlot, keys), 5)).toBe(keys);
    expect(() => requireRowKeys('fn', pass().with(rowKeysSlot, keys), 4)).toThrow(
      'fn: expected 5 rows, as the pass has keys for them, got 4 - give a key for each row',
    );
    expect(() => requireRowKeys('fn', pass().with(rowKeysSlot, keys), undefined)).toThrow('got a tensor without rows');
  });

  test('neighbours of one key are run together, each group counting as if it were alone', () => {
    const own = pass().with(rowKeysSlot, keys);
    own.get(callsSlot)?.next('a');
    const seen = byRowKeys(own, (part, rows) => [
      rows,
      part.get(rowKeysSlot)?.length,
      part.get(callsSlot)?.next('a'),
      part.get(callsSlot)?.next('b'),
      part.get(callsSlot)?.next('a'),
    ]);
    expect(seen).toEqual([
      [{ start: 0, length: 2 }, 2, 1, 0, 2],
      [{ start: 2, length: 1 }, 1, 1, 0, 2],
      [{ start: 3, length: 1 }, 1, 1, 0, 2],
      [{ start: 4, length: 1 }, 1, 1, 0, 2],
    ]);
    // Once for all of them in the pass itself.
    expect([...(own.get(callsSlot)?.counts ?? [])]).toEqual([
      ['a', 3],
      ['b', 1],
    ]);
    const plain = pass();
    expect(byRowKeys(plain, (part, rows) => [part === plain, rows])).toEqual([[true, null]]);
  });
});

describe('calls', () => {
  test('are counted for all passes made of one, and anew in the next', () => {
    const first = pass();
    const derived = first.with(rowKeysSlot, keys);
    expect([first, derived, first].map((each) => each.get(callsSlot)?.next('a'))).toEqual([0, 1, 2]);
    expect(pass().get(callsSlot)?.next('a')).toBe(0);
    expect(evaluation.get(callsSlot)).toBeUndefined();
  });

  test('of a stretch that is run again are those it had, also of one within another', () => {
    const own = pass();
    own.get(callsSlot)?.next('a');
    const outer = repeatable(own);
    const call = (part: typeof own): unknown => part.get(callsSlot)?.next('a');
    expect([call(outer.first), call(outer.first)]).toEqual([1, 2]);
    const inner = repeatable(outer.first);
    expect(call(inner.first)).toBe(3);
    expect(call(own)).toBe(4);
    expect(call(inner.again())).toBe(3);
    const again = outer.again();
    expect([call(again), call(again)]).toEqual([1, 2]);
    const innerAgain = repeatable(again);
    expect([call(innerAgain.first), call(innerAgain.again())]).toEqual([3, 3]);
    expect(call(outer.again())).toBe(1);
    expect(call(own)).toBe(5);
    expect(repeatable(evaluation).first).toBe(evaluation);
  });
});

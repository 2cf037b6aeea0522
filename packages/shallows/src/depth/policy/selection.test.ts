import { expect, test } from 'vitest';
import { selectLayers } from './selection.js';

const chosen = (text: string, count = 7): number[] => selectLayers(text, count).flatMap((flag, i) => (flag ? [i] : []));

// What Python gives for list(range(7))[…].
test.each<[string, number[]]>([
  [':', [0, 1, 2, 3, 4, 5, 6]],
  ['::', [0, 1, 2, 3, 4, 5, 6]],
  ['2:', [2, 3, 4, 5, 6]],
  [':3', [0, 1, 2]],
  [':-1', [0, 1, 2, 3, 4, 5]],
  ['-2:', [5, 6]],
  ['::2', [0, 2, 4, 6]],
  ['1::3', [1, 4]],
  ['5:1:-2', [3, 5]],
  ['::-1', [0, 1, 2, 3, 4, 5, 6]],
  ['4', [4]],
  ['-1', [6]],
  ['0,3:5', [0, 3, 4]],
  [' 0 , 5 : ', [0, 5, 6]],
  ['0:7', [0, 1, 2, 3, 4, 5, 6]],
  ['0:99', [0, 1, 2, 3, 4, 5, 6]],
  ['9:', []],
  ['-99:2', [0, 1]],
  ['3:3', []],
])("'%s' selects as Python does", (text, expected) => {
  expect(chosen(text)).toEqual(expected);
});

// torchtune refuses both on five layers.
test('the last layer and a slice to the end are taken', () => {
  expect(chosen('0:5', 5)).toEqual([0, 1, 2, 3, 4]);
  expect(chosen('4', 5)).toEqual([4]);
});

test('a single index that is not there, and text that is no selection, are errors', () => {
  expect(() => selectLayers('7', 7)).toThrow('expected an index from -7 to 6, got 7');
  expect(() => selectLayers('-8', 7)).toThrow('got -8');
  for (const text of ['', ',', 'a', '1;2', '1:2:3:4', '::0', '1.5', '1,,2', '--1']) {
    expect(() => selectLayers(text, 7), text).toThrow('selectLayers: expected slices such as');
  }
});

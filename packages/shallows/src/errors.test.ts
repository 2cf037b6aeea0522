import { describe, expect, test } from 'vitest';
import { didYouMean, ShallowsError, shown } from './errors.js';

test('the error has its name, also in a stack', () => {
  const error = new ShallowsError('fn: expected a, got b - do c', { cause: 1 });
  expect(error).toBeInstanceOf(Error);
  expect(error.name).toBe('ShallowsError');
  expect(String(error)).toBe('ShallowsError: fn: expected a, got b - do c');
  expect(error.cause).toBe(1);
});

test.each([
  ['a', '"a"'],
  [Number.NaN, 'NaN'],
  [-0.5, '-0.5'],
  [7n, '7n'],
  [null, 'null'],
  [undefined, 'undefined'],
  [[1, 2], 'a list of 2'],
  [{}, 'an object'],
  [() => 1, 'a function'],
  ['x'.repeat(100), `"${'x'.repeat(57)}..."`],
])('shown(%s)', (value, text) => {
  expect(shown(value)).toBe(text);
});

describe('didYouMean', () => {
  const known = ['linear', 'linspace', 'ramp', 'uniform', 'list'];

  test.each([
    ['liner', 'linear'],
    ['LINEAR', 'linear'],
    ['lin', 'linear'],
    ['linspaces', 'linspace'],
    ['unform', 'uniform'],
    ['rmap', ''],
    ['exponential', ''],
    ['', ''],
  ])('%s → %s', (word, meant) => {
    expect(didYouMean(word, known)).toBe(meant === '' ? '' : `, did you mean '${meant}'?`);
  });

  test('the nearest wins, not the first', () => {
    expect(didYouMean('layer3.16', ['layer1.17', 'layer3.17'])).toBe(", did you mean 'layer3.17'?");
    expect(didYouMean('colour', ['colon', 'color'])).toBe(", did you mean 'color'?");
  });
});

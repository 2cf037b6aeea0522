import { expect, test } from 'vitest';
import { isAtLeast } from './libtorch.js';

test('versions compare by their numbers', () => {
  expect(isAtLeast('2.13.0+cpu', '2.5')).toBe(true);
  expect(isAtLeast('2.5', '2.5.0')).toBe(true);
  expect(isAtLeast('2.4.1', '2.5')).toBe(false);
  expect(isAtLeast('1.13.1', '1.13')).toBe(true);
  expect(isAtLeast('10.0', '9.9')).toBe(true);
  expect(isAtLeast('', '1')).toBe(false);
});

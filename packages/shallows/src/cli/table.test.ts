import { expect, test } from 'vitest';
import { alignedTable, percent, span } from './table.js';

test('a table is aligned', () => {
  expect(
    alignedTable([
      ['', 'accuracy', 'gap'],
      ['plain', '70.1 %', '-0.1 %'],
      ['stochastic depth', '9 %', '12 %'],
    ]),
  ).toBe(`\
                  accuracy     gap
plain               70.1 %  -0.1 %
stochastic depth       9 %    12 %
`);
});

test('numbers have units', () => {
  expect(percent(0.7564)).toBe('75.6 %');
  expect([0.25, 99.94, 480, 1500, 59_900, 200_000, 119_999].map(span)).toEqual([
    '0.3 ms',
    '99.9 ms',
    '480 ms',
    '1.5 s',
    '59.9 s',
    '3 min 20 s',
    '2 min 0 s',
  ]);
});

import { expect, test } from 'vitest';
import { operatorTables, operatorTimes } from '../../bench/operator-times.js';

const ours = {
  ms: 20,
  operators: [
    ['aten::convolution', 10],
    ['ConvolutionBackward0', 1],
    ['autograd::engine::evaluate_function: ConvolutionBackward0', 2],
    ...Array.from({ length: 7 }, (_, i) => [`small ${i}`, 0.5] as const),
  ],
} as const;
const theirs = { ms: 30, operators: [['aten::mul', 12] as const, ['aten::convolution', 11] as const] };

test('the largest of either side come first, and all of a step is somewhere', () => {
  const rows = operatorTimes('toy', ours, theirs);
  expect(rows.slice(0, 3)).toEqual([
    { work: 'toy', operator: 'aten::mul', oursMs: 0, theirsMs: 12 },
    { work: 'toy', operator: 'aten::convolution', oursMs: 10, theirsMs: 11 },
    { work: 'toy', operator: 'ConvolutionBackward0', oursMs: 3, theirsMs: 0 },
  ]);
  expect(rows.slice(-2)).toEqual([
    { work: 'toy', operator: 'other operators', oursMs: 1.5, theirsMs: 0 },
    { work: 'toy', operator: 'between operators', oursMs: 3.5, theirsMs: 7 },
  ]);
  const total = (of: (row: (typeof rows)[number]) => number): number => rows.reduce((all, row) => all + of(row), 0);
  expect(total((row) => row.oursMs)).toBeCloseTo(ours.ms);
  expect(total((row) => row.theirsMs ?? 0)).toBeCloseTo(theirs.ms);
});

test('a table says the share of a step, and where there is no peer', () => {
  const [table] = operatorTables('Where', operatorTimes('toy', { ms: 4, operators: [['aten::mm', 3]] }, null));
  expect(table?.rows).toEqual([
    ['toy', 'aten::mm', '3.00', '75.0 %', '–'],
    ['toy', 'other operators', '–', '0.0 %', '–'],
    ['toy', 'between operators', '1.00', '25.0 %', '–'],
  ]);
});

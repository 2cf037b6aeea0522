import { describe, expect, test } from 'vitest';
import { bytes, counted, percent, significant, span, steady } from './format.js';
import { metricWords, signed } from './metric-words.js';

describe('format', () => {
  test.each([
    [0, '0 ms'],
    [0.4217, '0.422 ms'],
    [43.21, '43.2 ms'],
    [999.4, '999 ms'],
    [999.6, '1.0 s'],
    [59_940, '59.9 s'],
    [59_960, '1 min 00 s'],
    [200_000, '3 min 20 s'],
    [3_599_600, '1 h 00 min'],
    [7_500_000, '2 h 05 min'],
    [Number.NaN, 'unknown'],
  ])('span(%d) is %s', (ms, text) => expect(span(ms)).toBe(text));

  test('numbers', () => {
    expect(
      [0, 0.1, 0.012345, 123456, 1234567, 1.2e-7, Number.NaN, -Infinity].map((value) => significant(value)),
    ).toEqual(['0', '0.1', '0.0123', '123000', '1.23e+6', '1.20e-7', 'not a number', '−infinite']);
    expect([1, 0.5, 12.345, 1234.5].map((value) => steady(value))).toEqual(['1.00', '0.500', '12.3', '1230']);
    expect([percent(0.7564), percent(0.24, 0), percent(Number.NaN)]).toEqual(['75.6 %', '24 %', 'not a number']);
    expect([1, 2, 8.375, 3600].map((value) => counted(value, 'epoch'))).toEqual([
      '1 epoch',
      '2 epochs',
      '8.4 epochs',
      '3,600 epochs',
    ]);
    expect([0, 512, 4.5 * 2 ** 30].map(bytes)).toEqual(['0 B', '512 B', '4.5 GiB']);
  });

  test('metrics by their kind', () => {
    const words = (name: string, value: number, difference: number): string[] => {
      const { title, noun, short, shown, size } = metricWords(name);
      return [title, noun, short, shown(value), signed(difference, size)];
    };
    expect(words('accuracy', 0.6123, -0.0212)).toEqual(['Accuracy', 'accuracy', 'acc', '61.2 %', '−2.1 pts']);
    expect(words('rmse', 0.5, 0.0123)).toEqual(['RMSE', 'RMSE', 'rmse', '0.5000', '+0.0123']);
    expect(words('perplexity', 12.345, 0)).toEqual(['Perplexity', 'perplexity', 'ppl', '12.35', '0']);
    expect(words('r2', -1, Number.NaN)).toEqual(['R²', 'R²', 'r2', '-1.000', '–']);
    expect(words('wobble', 1, -1)).toEqual(['Wobble', 'wobble', 'wobble', '1.000', '−1']);
    // What is written as zero has no sign.
    expect(signed(-0.0001, metricWords('accuracy').size)).toBe('0.0 pts');
  });
});

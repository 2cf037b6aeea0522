import { readFileSync } from 'node:fs';
import { fromTypedArray, full, scope, stats, type Tensor, tensor, trace } from '@shallows/torch';
import { describe, expect, test } from 'vitest';
import { classificationMeters, languageMeters, type MeterKind, type Metrics, regressionMeters } from './index.js';

interface Fixture {
  readonly regression: Readonly<Record<string, Metrics>>;
  readonly language: Readonly<Record<string, Metrics>>;
}
const fixture: Fixture = JSON.parse(readFileSync(new URL('./fixtures/meters.json', import.meta.url), 'utf8'));

function values(shape: readonly number[], salt: number): number[] {
  const count = shape.reduce((product, size) => product * size, 1);
  return Array.from({ length: count }, (_, i) => ((i * 7919 + salt * 104729) % 1999) / 1000 - 1);
}
const doubles = (list: readonly number[], shape: readonly number[]): Tensor =>
  fromTypedArray(Float64Array.from(list), shape);

/** The metrics of rows that are added a few at a time, on as many meters as there are ranks. */
function measured(kind: MeterKind, outputs: Tensor, targets: Tensor, batch: number, ranks = 1): Metrics {
  const meters = Array.from({ length: ranks }, () => kind.create());
  const rows = targets.shape[0] ?? 0;
  for (let row = 0; row < rows; row += batch) {
    const length = Math.min(batch, rows - row);
    meters[(row / batch) % ranks]?.add(outputs.narrow(0, row, length), targets.narrow(0, row, length));
  }
  const sums = meters.map((meter) => meter.take());
  return kind.metrics(sums.reduce((a, b) => a.map((each, i) => each + (b[i] ?? Number.NaN))));
}

function expectMetrics(actual: Metrics, expected: Metrics | undefined): void {
  expect(Object.keys(actual)).toEqual(Object.keys(expected ?? {}));
  for (const [name, value] of Object.entries(expected ?? {}))
    expect(Math.abs((actual[name] ?? Number.NaN) - value) / Math.abs(value), name).toBeLessThan(1e-9);
}

describe('regression', () => {
  test.each(Object.keys(fixture.regression).flatMap((name) => [17, 5, 1].map((batch) => [name, batch] as const)))(
    '%s (outputs, offset), %d rows at a time, as scikit-learn',
    (name, batch) => {
      const [outputs = 0, offset = 0] = name.split(' ').map(Number);
      scope(() => {
        const shape = [17, outputs];
        const y = values(shape, 1).map((each) => each + offset);
        const noise = values(shape, 2);
        const predicted = y.map((each, i) => each + 0.3 * (noise[i] ?? 0));
        const kind = regressionMeters(outputs);
        for (const ranks of [1, 3]) {
          const metrics = measured(kind, doubles(predicted, shape), doubles(y, shape), batch, ranks);
          expectMetrics(metrics, fixture.regression[name]);
        }
      });
    },
  );

  test('targets that do not vary explain all or nothing', () => {
    scope(() => {
      const y = tensor([[0.1], [0.1], [0.1]]);
      expect(measured(regressionMeters(), y, y, 1).r2).toBe(1);
      expect(measured(regressionMeters(), tensor([[0.1], [0.1], [0.2]]), y, 1).r2).toBe(0);
      // Sums of squares that are equal but for rounding.
      for (const value of [1234.5678, 1e-3, 77_777.77]) {
        const many = full([1001, 1], value);
        expect(measured(regressionMeters(), many.add(1), many, 7).r2, String(value)).toBe(0);
      }
    });
  });

  test('refuses what would be broadcast, and other numbers a row', () => {
    scope(() => {
      const meter = regressionMeters().create();
      expect(() => meter.add(tensor([1, 2]), tensor([[1], [2]]))).toThrow(
        'expected predictions and targets of one shape, got [2] and [2, 1]',
      );
      expect(() => meter.add(tensor([[1, 2]]), tensor([[1, 2]]))).toThrow('expected 1 numbers a row, got [1, 2]');
    });
  });
});

describe('language', () => {
  test.each([
    ['all', []],
    ['padded', [3, 4, 5, 22, 23]],
  ])('%s, as PyTorch', (name, ignored) => {
    const logits = values([4, 6, 11], 3).map((each) => 5 * each);
    const targets = Array.from({ length: 24 }, (_, i) => (ignored.includes(i) ? -100n : BigInt((i * 7) % 11)));
    scope(() => {
      const [outputs, tokens] = [doubles(logits, [4, 6, 11]), tensor(targets).reshape([4, 6])];
      for (const batch of [1, 3, 4]) {
        expectMetrics(measured(languageMeters, outputs, tokens, batch), fixture.language[name]);
      }
    });
  });

  test('refuses logits that are not of each token', () => {
    scope(() => {
      expect(() => languageMeters.create().add(tensor([[1, 2]]), tensor([[1n]]))).toThrow(
        'expected logits [B, T, V] and targets [B, T], got [1, 2] and [1, 1]',
      );
    });
  });
});

describe.each([
  ['classification', classificationMeters, () => [tensor([[1, 0]]), tensor([0n])]],
  ['regression', regressionMeters(), () => [tensor([[1]]), tensor([[0]])]],
  ['language', languageMeters, () => [tensor([[[1, 0]]]), tensor([[0n]])]],
] as const)('a meter of %s', (_, kind, row) => {
  test('does not wait for the device, sums to zeros without rows, starts anew and frees', () => {
    const before = stats();
    const meter = kind.create();
    const empty = meter.take();
    expect(empty.every((each) => each === 0)).toBe(true);
    expect(() => kind.metrics(empty)).toThrow('expected at least one row, got none - add a batch first');
    scope(() => {
      const [outputs, targets] = row() as [Tensor, Tensor];
      const { calls } = trace(() => meter.add(outputs, targets));
      expect(calls.map(({ op }) => op)).not.toContain('aten::item');
    });
    const sums = meter.take();
    expect(sums).toHaveLength(empty.length);
    expect(kind.metrics(sums).loss).toBeGreaterThan(0);
    expect(meter.take()).toEqual(empty);
    expect(stats()).toEqual(before);
  });
});

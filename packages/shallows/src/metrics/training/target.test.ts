import { describe, expect, test } from 'vitest';
import type { Better } from './direction.js';
import { TargetMeter, type TargetOptions, type TargetReport } from './target.js';

const at = (i: number) => ({ epoch: i, batch: 10 * i, sample: 640 * i, elapsedMs: 100 * i });

function measured(values: readonly number[], options: Partial<TargetOptions> = {}): TargetReport {
  const meter = new TargetMeter({ metric: 'accuracy', better: 'higher', value: 0.7, ...options });
  for (const [i, value] of values.entries()) meter.add(value, at(i + 1));
  return meter.report();
}

describe('TargetMeter', () => {
  test('the first of three evaluations in a row at the target', () => {
    expect(measured([0.5, 0.71, 0.69, 0.7, 0.72, 0.7, 0.2])).toEqual({
      metric: 'accuracy',
      better: 'higher',
      value: 0.7,
      stays: 3,
      reached: at(4),
      held: 0,
      evaluations: 7,
      best: 0.72,
      last: at(7),
    });
  });

  test('is censored at the last evaluation where it did not stay', () => {
    expect(measured([0.5, 0.71, 0.71])).toMatchObject({ reached: null, held: 2, last: at(3), best: 0.71 });
    expect(measured([])).toMatchObject({ reached: null, held: 0, last: null, best: null, evaluations: 0 });
  });

  test('lower is better, and one evaluation can be enough', () => {
    expect(measured([3, 2, 1.4, 5], { better: 'lower', value: 1.5, stays: 1 })).toMatchObject({
      reached: at(3),
      best: 1.4,
    });
  });

  test('a value that is not finite breaks the row', () => {
    expect(measured([0.8, 0.8, Number.NaN, 0.8, 0.8, 0.8])).toMatchObject({ reached: at(4), held: 3 });
  });

  test('can compare an average', () => {
    // Of decay 1/2 without bias: 0.6, (0.6 + 2 · 0.9)/3 = 0.8, (0.6 + 2 · 0.9 + 4 · 0.6)/7 = 24/35.
    expect(measured([0.6, 0.9, 0.6], { decay: 0.5, stays: 1 })).toMatchObject({ reached: at(2), held: 0 });
    expect(measured([0.6, 0.9, 0.6], { decay: 0.5, stays: 1 }).best).toBeCloseTo(0.8, 12);
  });

  test('goes on from its state', () => {
    const values = [0.5, 0.71, 0.72, 0.73, 0.1];
    for (let cut = 0; cut <= values.length; cut++) {
      const options = { metric: 'accuracy', better: 'higher' as Better, value: 0.7, decay: 0.1 };
      const [before, after] = [new TargetMeter(options), new TargetMeter(options)];
      values.slice(0, cut).forEach((value, i) => before.add(value, at(i + 1)));
      after.load(JSON.parse(JSON.stringify(before.state())) as ReturnType<typeof before.state>);
      values.slice(cut).forEach((value, i) => after.add(value, at(cut + i + 1)));
      expect(after.report()).toEqual(measured(values, { decay: 0.1 }));
    }
  });

  test.each([
    [{ value: Number.NaN }, 'expected a finite value, got NaN'],
    [{ stays: 0 }, 'expected evaluations to stay from 1, got 0'],
    [{ decay: 1 }, 'expected a decay in [0, 1), got 1'],
  ])('refuses %j', (options, message) => {
    expect(() => measured([], options)).toThrow(message);
  });
});

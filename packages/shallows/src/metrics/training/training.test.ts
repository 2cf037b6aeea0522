import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { costPerGain, dominatedBy } from './cost.js';
import { EfficiencyMeter } from './efficiency.js';
import { GapMeter } from './gap.js';
import { proportionDifference, proportionError } from './proportion.js';

interface Fixture {
  readonly differences: readonly {
    readonly a: readonly [hits: number, rows: number];
    readonly b: readonly [hits: number, rows: number];
    readonly interval: readonly [low: number, high: number];
  }[];
}

const fixture: Fixture = JSON.parse(readFileSync(new URL('fixtures/training.json', import.meta.url), 'utf8'));

describe('proportionDifference', () => {
  test.each(fixture.differences)('$a against $b, by SciPy', ({ a, b, interval }) => {
    const side = ([hits, rows]: readonly [number, number]) => ({ share: hits / rows, rows });
    const got = proportionDifference(side(a), side(b));
    expect(got.interval).toBeAllclose(interval, { rtol: 1e-9, atol: 1e-12 });
    expect(got.beyondNoise).toBe(interval[0] > 0 || interval[1] < 0);
  });

  test('holds what it promises: 95 % on each of a few pairs of shares, counted over all outcomes', () => {
    for (const [p, q, n] of [
      [0.5, 0.5, 40],
      [0.9, 0.9, 40],
      [0.95, 0.7, 30],
    ] as const) {
      let covered = 0;
      for (let x = 0; x <= n; x++) {
        for (let y = 0; y <= n; y++) {
          const { interval } = proportionDifference({ share: x / n, rows: n }, { share: y / n, rows: n });
          if (interval[0] <= p - q && p - q <= interval[1]) covered += binomial(n, x, p) * binomial(n, y, q);
        }
      }
      expect(covered).toBeGreaterThan(0.94);
      expect(covered).toBeLessThan(0.98);
    }
  });

  test('of no row is no difference', () => {
    expect(proportionDifference({ share: 1, rows: 0 }, { share: 0, rows: 0 }).beyondNoise).toBe(false);
    expect(proportionError({ share: 0.5, rows: 0 })).toBe(Number.POSITIVE_INFINITY);
    expect(proportionError({ share: 0.5, rows: 100 })).toBeCloseTo(0.05, 12);
  });
});

function binomial(n: number, k: number, p: number): number {
  let value = 1;
  for (let i = 1; i <= k; i++) value *= ((n - k + i) / i) * p;
  return value * (1 - p) ** (n - k);
}

describe('GapMeter', () => {
  const side = (value: number, rows: number | null = 10_000) => ({ value, rows });

  test('the gap, its error, and what is left of it', () => {
    const { gap, error, atLeast, verdict } = new GapMeter('higher').add(side(0.9, 1000), side(0.8, 500));
    expect(gap).toBeCloseTo(0.1, 12);
    // √(0.9 · 0.1 / 1000 + 0.8 · 0.2 / 500) = √0.00041
    expect(error).toBeCloseTo(Math.sqrt(0.00041), 12);
    expect(atLeast).toBeCloseTo(0.1 - 1.645 * Math.sqrt(0.00041), 12);
    expect(verdict).toBe('unknown');
  });

  test('warns after three evaluations that exceed by more than chance, and alerts', () => {
    const verdicts = (gaps: readonly number[], rows = 1_000_000): string[] => {
      const meter = new GapMeter('higher');
      return gaps.map((gap) => meter.add(side(0.5 + gap, rows), side(0.5, rows)).verdict);
    };
    expect(verdicts([0.05, 0.05, 0.025, 0.05, 0.05, 0.05])).toEqual([
      'unknown',
      'unknown',
      'warn',
      'warn',
      'warn',
      'alert',
    ]);
    expect(verdicts([0.05, 0.05, 0.05, 0.01])).toEqual(['unknown', 'unknown', 'alert', 'fine']);
    // 0.05 on a hundred rows a side: chance alone makes 1.645 · 0.07 of it.
    expect(verdicts([0.05, 0.05, 0.05], 100)).toEqual(['unknown', 'unknown', 'fine']);
    // Validation above training is no overfitting.
    expect(verdicts([-0.05, -0.05, -0.05])).toEqual(['unknown', 'unknown', 'fine']);
  });

  test('lower is better: validation less training, and no verdict without rows', () => {
    const meter = new GapMeter('lower');
    const readings = [1, 2, 3].map(() => meter.add(side(1.5, null), side(2, null)));
    expect(readings.at(-1)).toEqual({ gap: 0.5, error: null, atLeast: null, verdict: 'unknown' });
    expect(new GapMeter('lower').add(side(0.1, 100), side(0.3, 100)).gap).toBeCloseTo(0.2, 12);
    expect(new GapMeter('higher').add(side(Number.NaN, 100), side(0.3, 100)).verdict).toBe('unknown');
  });
});

describe('EfficiencyMeter', () => {
  test('adds up where the time went', () => {
    const meter = new EfficiencyMeter();
    meter.addStep({ durationMs: 90, dataWaitMs: 10, samples: 32 });
    meter.addStep({ durationMs: 80, dataWaitMs: 20, samples: 16 });
    meter.addEvaluation(50);
    meter.addRetried({ durationMs: 25, dataWaitMs: 5 });
    expect(meter.report({ devices: 4, elapsedMs: 360_000 })).toEqual({
      devices: 4,
      deviceHours: 0.4,
      steps: 2,
      samples: 48,
      trainMs: 170,
      dataWaitMs: 30,
      evaluationMs: 50,
      retriedMs: 30,
      otherMs: 359_720,
      elapsedMs: 360_000,
      samplesPerSecond: 240,
      dataWaitShare: 0.15,
    });
  });

  test('says nothing of no step', () => {
    expect(new EfficiencyMeter().report({ devices: 1, elapsedMs: 0 })).toMatchObject({
      samplesPerSecond: null,
      dataWaitShare: null,
      otherMs: 0,
    });
  });
});

describe('cost', () => {
  test('per gain, where luck is not cheap', () => {
    const run = { deviceHours: 3, value: 0.75, baseline: 0.7, better: 'higher', error: 0.01 } as const;
    expect(costPerGain(run)).toBeCloseTo(60, 10);
    expect(costPerGain({ ...run, baseline: 0.8 })).toBeCloseTo(300, 10);
    expect(costPerGain({ ...run, value: 1.2, baseline: 1.7, better: 'lower' })).toBeCloseTo(6, 10);
    expect(costPerGain({ ...run, baseline: 0.8, error: 0 })).toBe(Number.POSITIVE_INFINITY);
  });

  test('who is beaten by whom', () => {
    const points = [
      { deviceHours: 1, value: 0.7 },
      { deviceHours: 2, value: 0.7 },
      { deviceHours: 2, value: 0.8 },
      { deviceHours: 1, value: 0.7 },
      { deviceHours: 3, value: Number.NaN },
    ];
    expect(dominatedBy(points, 'higher')).toEqual([null, 0, null, null, null]);
    expect(dominatedBy(points, 'lower')).toEqual([null, 0, 0, null, null]);
  });
});

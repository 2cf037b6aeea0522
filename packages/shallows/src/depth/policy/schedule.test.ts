import { describe, expect, test } from 'vitest';
import { Policy } from './policy.js';
import { rateSites } from './rate-sites.js';
import { type DepthSchedule, depthSchedules } from './schedule.js';

const { linear, linspace, ramp, uniform, exp, log, sine, sigmoid } = depthSchedules;
const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const close = (got: readonly number[], expected: readonly number[], digits = 6): void => {
  expect(got.length).toBe(expected.length);
  got.forEach((value, i) => expect(value).toBeCloseTo(expected[i] ?? Number.NaN, digits));
};

describe('rates over depth', () => {
  test('L = 1 is defined for all', () => {
    expect(linear(0.4, 1)).toEqual([0.4]);
    expect(linspace(0.4, 1)).toEqual([0]);
    expect(ramp(0.4, 1)).toEqual([0]);
    for (const schedule of [uniform, exp, log, sine, sigmoid]) expect(schedule(0.4, 1)).toEqual([0.4]);
  });

  test('L = 4, p = 0.4', () => {
    close(linear(0.4, 4), [0.1, 0.2, 0.3, 0.4], 15);
    close(linspace(0.4, 4), [0, 0.133333, 0.266667, 0.4]);
    close(ramp(0.4, 4), [0, 0.1, 0.2, 0.3], 15);
    expect(uniform(0.4, 4)).toEqual([0.4, 0.4, 0.4, 0.4]);
  });

  test('L = 54, p = 0.5, linear keep probabilities of blocks 1, 2, 27, 53, 54', () => {
    const keep = linear(0.5, 54).map((rate) => 1 - rate);
    close(
      [1, 2, 27, 53, 54].map((l) => keep[l - 1] ?? Number.NaN),
      [0.990740741, 0.981481481, 0.75, 0.509259259, 0.5],
      9,
    );
  });

  test.each([
    [4, [1.25, 1, 0.75]],
    [16, [4.25, 4, 3.75]],
    [54, [13.75, 13.5, 13.25]],
  ])('L = %i, p = 0.5: sums of linear, linspace, ramp are %j', (count, [ofLinear, ofLinspace, ofRamp]) => {
    expect(sum(linear(0.5, count))).toBeCloseTo(ofLinear ?? Number.NaN, 12);
    expect(sum(linspace(0.5, count))).toBeCloseTo(ofLinspace ?? Number.NaN, 12);
    expect(sum(ramp(0.5, count))).toBeCloseTo(ofRamp ?? Number.NaN, 12);
    expect(sum(uniform(0.5, count))).toBe(count / 2);
  });

  test('what other systems configure', () => {
    const sixteen = Array.from({ length: 16 }, (_, i) => i);
    close(
      linear(0.2, 16),
      sixteen.map((i) => 0.0125 * (i + 1)),
      12,
    ); // Composer, ResNet-50
    close(
      ramp(0.2, 16),
      sixteen.map((i) => 0.0125 * i),
      12,
    ); // torchvision, EfficientNet-B0
    close(
      linspace(0.2, 12),
      sixteen.slice(0, 12).map((i) => (0.2 * i) / 11),
      12,
    ); // torchvision, Swin-T
    close(
      linspace(0.1, 18),
      Array.from({ length: 18 }, (_, i) => (0.1 * i) / 17),
      12,
    ); // torchvision, ConvNeXt-T
    close(linspace(0.3, 6), [0, 0.06, 0.12, 0.18, 0.24, 0.3], 12); // timm, depths [2, 2, 2]
  });

  // torchtune's scales with a period of 4, and LayerSkip's exp over 32 layers.
  test.each([
    ['exp', [0, 0.189207, 0.414214, 0.681793, 1]],
    ['log', [0, 0.430677, 0.682606, 0.861353, 1]],
    ['sine', [0, 0.382683, Math.SQRT1_2, 0.92388, 1]],
    ['sigmoid', [0.006693, 0.075858, 0.5, 0.924142, 1]],
  ] as const)('torchtune, 5 layers: %s is %j', (schedule, expected) => close(depthSchedules[schedule](1, 5), expected));

  test('exp, L = 32, p = 0.2', () => {
    const rates = exp(0.2, 32);
    close([rates[1], rates[15], rates[16]].map(Number), [0.00452, 0.0797, 0.08602], 5);
    expect(sum(rates)).toBeCloseTo(2.8451, 4);
  });

  test.each([1, 2, 3, 10, 54, 97, 600])(
    'of %i blocks none has less than the one before, and the last exactly p',
    (count) => {
      for (const p of [0.1, 0.2, 0.3, 0.7, 1 / 3, 1]) {
        for (const schedule of Object.values(depthSchedules)) {
          const rates = schedule(p, count);
          expect(rates.every((rate, i) => rate >= (rates[i - 1] ?? 0) && rate <= p)).toBe(true);
          const last = schedule === ramp || (schedule === linspace && count === 1) ? p * ((count - 1) / count) : p;
          expect(rates.at(-1)).toBe(last);
        }
      }
    },
  );

  test('expected depth at p = 0.5 is (3 L - 1) / 4', () => {
    for (const [count, depth] of [
      [1, 0.5],
      [3, 2],
      [16, 11.75],
      [18, 13.25],
      [33, 24.5],
      [50, 37.25],
      [54, 40.25],
      [100, 74.75],
      [600, 449.75],
    ] as const) {
      expect(count - sum(linear(0.5, count))).toBeCloseTo(depth, 9);
    }
    expect(54 - sum(linear(0.2, 54))).toBeCloseTo(48.5, 9);
    expect(54 - sum(linear(0.8, 54))).toBeCloseTo(32, 9);
  });

  test('the rates of sites are those of the schedule, in order', () => {
    const names = ['a', 'b', 'c', 'd'];
    for (const schedule of ['linear', 'linspace', 'ramp', 'uniform'] satisfies DepthSchedule[]) {
      const rated = rateSites(Policy({ drop: 0.4, schedule }), names);
      expect(rated.map((site) => site.drop)).toEqual(depthSchedules[schedule](0.4, 4));
      expect(rated.map((site) => site.name)).toEqual(names);
    }
    const listed = rateSites(Policy({ schedule: 'list', rates: [0, 0.3, 1, 0.2] }), names);
    expect(listed.map((site) => site.drop)).toEqual([0, 0.3, 1, 0.2]);
  });
});

import { describe, expect, test } from 'vitest';
import { type Timeline, timeToBatches } from '../../time/index.js';
import { type Moment, type TimeSchedule, timeFactor } from './time-schedule.js';

const timeline: Timeline = { batchesPerEpoch: 40, batchSize: 32, samplesPerEpoch: 1270, duration: 400 };
const at = (batch: number, elapsedMs?: number): Moment => ({
  batch,
  timeline,
  ...(elapsedMs === undefined ? {} : { elapsedMs }),
});
const factors = (schedule: TimeSchedule, batches: readonly number[]): number[] =>
  batches.map((batch) => timeFactor(schedule, at(batch)));
const twenty = Array.from({ length: 20 }, (_, i) => i * 21);

describe('warmup', () => {
  // The same run given in epochs, batches and samples: Composer's arrives at 0.9 or stays at 0.
  test.each(['0.1dur', '1ep', '40ba', '1270sp'])('of %s is exactly 1 from its end on', (length) => {
    expect(timeToBatches(length, timeline)).toBe(40);
    const schedule: TimeSchedule = { kind: 'warmup', length };
    for (let batch = 0; batch < 40; batch++) expect(timeFactor(schedule, at(batch))).toBe(batch / 40);
    for (let batch = 40; batch <= 400; batch++) expect(timeFactor(schedule, at(batch))).toBe(1);
  });

  test.each<[Timeline, string, number]>([
    [{ batchesPerEpoch: 10, batchSize: 5, duration: 100 }, '0.1dur', 10],
    [{ batchesPerEpoch: 7, batchSize: 5, duration: 70 }, '10ep', 70],
    [{ batchesPerEpoch: 7, batchSize: 5, duration: 700 }, '100ba', 100],
    [{ batchesPerEpoch: 7, batchSize: 5, samplesPerEpoch: 33, duration: 700 }, '66sp', 14],
    [{ batchesPerEpoch: 3, batchSize: 5, duration: 1 }, '0.1dur', 1],
  ])('%o: %s arrives at batch %i', (each, length, arrival) => {
    const schedule: TimeSchedule = { kind: 'warmup', length };
    expect(timeFactor(schedule, { batch: arrival, timeline: each })).toBe(1);
    expect(timeFactor(schedule, { batch: arrival - 1, timeline: each })).toBe((arrival - 1) / arrival);
  });

  test('on the clock follows the elapsed time, and needs it', () => {
    const schedule: TimeSchedule = { kind: 'warmup', length: '90sec' };
    expect(timeFactor(schedule, at(7, 45_000))).toBe(0.5);
    expect(timeFactor(schedule, at(7, 90_000))).toBe(1);
    expect(() => timeFactor(schedule, at(7))).toThrow('expected the elapsed time for 90sec');
  });

  test('of no length is there at once', () => {
    expect(factors({ kind: 'warmup', length: '0ba' }, [0, 1])).toEqual([1, 1]);
  });
});

test('early linear: numpy.linspace(p, 0, n), then 0', () => {
  const schedule: TimeSchedule = { kind: 'early', length: '5ba' };
  expect(factors(schedule, [0, 1, 2, 3, 4, 5, 399]).map((f) => 0.5 * f)).toEqual([0.5, 0.375, 0.25, 0.125, 0, 0, 0]);
  const long: TimeSchedule = { kind: 'early', length: '1dur' };
  for (const t of twenty) expect(timeFactor(long, at(t))).toBe(Math.max(0, 1 - t / 399));
  expect(timeFactor({ kind: 'early', length: '1ba' }, at(0))).toBe(1);
});

test('early constant, and late', () => {
  const early: TimeSchedule = { kind: 'early', length: '2ep', shape: 'constant' };
  const late: TimeSchedule = { kind: 'late', start: '2ep' };
  for (const t of twenty) {
    expect(timeFactor(early, at(t))).toBe(t < 80 ? 1 : 0);
    expect(timeFactor(late, at(t))).toBe(t < 80 ? 0 : 1);
  }
});

test('decay runs straight to its end and stays', () => {
  const schedule: TimeSchedule = { kind: 'decay', length: '0.5dur', to: 0.25 };
  for (const t of twenty) expect(timeFactor(schedule, at(t))).toBe(t >= 200 ? 0.25 : 1 - 0.75 * (t / 200));
  expect(timeFactor({ kind: 'decay' }, at(400))).toBe(0);
  expect(timeFactor({ kind: 'decay' }, at(100))).toBe(0.75);
});

// DeepSpeed's theta(t) for theta 0.5, gamma 0.001: the keep probability, of which the drop is the rest.
test.each([
  [0, 1],
  [100, 0.952419],
  [1000, 0.68394],
  [5000, 0.503369],
])('exponential: theta(%i) = %f', (batch, theta) => {
  expect(1 - 0.5 * timeFactor({ kind: 'exponential', gamma: 0.001 }, at(batch))).toBeCloseTo(theta, 6);
});

test('exponential meets its formula', () => {
  for (const t of twenty) {
    expect(timeFactor({ kind: 'exponential', gamma: 0.01 }, at(t))).toBeCloseTo(1 - Math.exp(-0.01 * t), 14);
  }
});

test('piecewise goes through its points and holds outside them', () => {
  const schedule: TimeSchedule = {
    kind: 'piecewise',
    points: [
      ['1ep', 0.2],
      ['0.5dur', 1],
      ['0.75dur', 0.5],
    ],
  };
  expect(factors(schedule, [0, 40, 120, 200, 250, 300, 400])).toBeAllclose([0.2, 0.2, 0.6, 1, 0.75, 0.5, 0.5]);
  const unsorted: TimeSchedule = {
    kind: 'piecewise',
    points: [
      ['2ep', 0],
      ['1ep', 1],
    ],
  };
  expect(() => timeFactor(unsorted, at(399))).toThrow('expected points in the order of time');
});

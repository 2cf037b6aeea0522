import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addTimes, compareTimes, scaleTime, subtractTimes } from './arithmetic.js';
import { formatTime, type Timeline, timeToBatches } from './time.js';

// An epoch ends with a batch of 8 rows.
const timeline: Timeline = { batchesPerEpoch: 40, batchSize: 128, samplesPerEpoch: 5000, duration: 400 };
const onTheClock: Timeline = { batchesPerEpoch: 40, batchSize: 128, seconds: 600 };

describe('times of one unit', () => {
  test.each([
    ['0.1ep', '0.2ep', '0.3ep'],
    ['1ba', '2ba', '3ba'],
    ['1h30m', '45s', '5445sec'],
    ['0.07dur', '0.9dur', '0.97dur'],
    ['1e-7dur', '2e-7dur', '3e-7dur'],
  ])('%s + %s = %s, and back', (a, b, total) => {
    expect(formatTime(addTimes(a, b))).toBe(total);
    expect(compareTimes(subtractTimes(total, b), a)).toBe(0);
  });

  test('are scaled in decimals, and counted in whole batches and samples', () => {
    expect(formatTime(scaleTime('100ba', 0.07))).toBe('7ba');
    expect(formatTime(scaleTime('5ba', 0.5))).toBe('3ba');
    expect(formatTime(scaleTime('0.1ep', 3))).toBe('0.3ep');
    expect(formatTime(scaleTime('90sec', 0))).toBe('0sec');
  });

  test.each([
    ['1ep', '2ep', -1],
    ['0.3ep', '0.3ep', 0],
    ['1h', '59m', 1],
    ['1e3ba', '1000ba', 0],
  ])('%s against %s: %d', (a, b, expected) => {
    expect(compareTimes(a, b)).toBe(expected);
  });
});

describe('times of two units', () => {
  test.each([
    ['1ep', '40ba', 0],
    ['0.51ep', '21ba', -1],
    ['0.5dur', '200ba', 0],
    ['5000sp', '1ep', 0],
    ['4999sp', '1ep', -1],
    ['1sp', '1ba', -1],
    ['128sp', '1ba', 0],
    ['10ep', '1dur', 0],
  ])('%s against %s: %d', (a, b, expected) => {
    expect(compareTimes(a, b, timeline)).toBe(expected);
    expect(compareTimes(b, a, timeline) + expected).toBe(0);
  });

  test('are added in batches, begun ones counted', () => {
    expect(formatTime(addTimes('1ep', '3ba', timeline))).toBe('43ba');
    expect(formatTime(addTimes('0.51ep', '3ba', timeline))).toBe('24ba');
    expect(formatTime(subtractTimes('0.5dur', '1ep', timeline))).toBe('160ba');
    expect(formatTime(addTimes('0.5dur', '60sec', onTheClock))).toBe('360sec');
  });

  test.each([
    [
      () => compareTimes('1ep', '40ba'),
      'compareTimes: expected times of one unit, got 1ep and 40ba - give the timeline',
    ],
    [() => addTimes('1ep', '1sec', timeline), 'a batch has no fixed length in seconds'],
    [() => addTimes('0.5dur', '1ep', onTheClock), 'a batch has no fixed length in seconds'],
    [() => addTimes('0.5dur', '1ep', { batchesPerEpoch: 2, batchSize: 1 }), 'expected a timeline with a duration'],
    [() => subtractTimes('1ep', '41ba', timeline), 'subtractTimes: expected at most 1ep to take away, got 41ba'],
    [() => scaleTime('1ep', -1), 'scaleTime: expected a factor from 0, got -1'],
    [() => scaleTime('0.6dur', 2), 'expected a share of the duration from 0dur to 1dur, got "1.2dur"'],
  ])('refused: %#', (wrong, message) => {
    expect(wrong).toThrow(message);
  });
});

test('comparison orders times as the batches at which they come, in any unit', () => {
  const time = fc.oneof(
    fc.nat({ max: 500 }).map((value) => `${value}ba`),
    fc.nat({ max: 60_000 }).map((value) => `${value}sp`),
    fc.nat({ max: 1300 }).map((value) => `${value / 100}ep`),
    fc.nat({ max: 100 }).map((value) => `${value / 100}dur`),
  );
  fc.assert(
    fc.property(time, time, (a, b) => {
      const batches = Math.sign(timeToBatches(a, timeline) - timeToBatches(b, timeline));
      // Two fractions of one batch come with the same batch.
      if (batches !== 0) expect(compareTimes(a, b, timeline)).toBe(batches);
      expect(compareTimes(a, b, timeline) + compareTimes(b, a, timeline)).toBe(0);
    }),
    { seed: 1, numRuns: 300 },
  );
});

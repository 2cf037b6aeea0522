import { describe, expect, test } from 'vitest';
import { against, hasCome, shareOf } from './moment.js';

const counted = { batchesPerEpoch: 40, batchSize: 128, samplesPerEpoch: 5000, duration: 400 };
const onTheClock = { batchesPerEpoch: 40, batchSize: 128, seconds: 200 };

describe('a run that is counted', () => {
  test.each([
    ['5ba', 5],
    ['0.5ep', 20],
    ['5001sp', 41],
    ['0.07dur', 28],
  ])('%s comes with batch %d, whatever unit the run has', (time, batch) => {
    expect(hasCome(time, { batch: batch - 1, timeline: counted })).toBe(false);
    expect(hasCome(time, { batch, timeline: counted })).toBe(true);
    expect(shareOf(time, { batch, timeline: counted })).toBe(1);
    expect(shareOf(time, { batch: batch - 1, timeline: counted })).toBe((batch - 1) / batch);
  });
});

describe('a run on the clock', () => {
  const at = (elapsedMs: number) => ({ batch: 3, elapsedMs, timeline: onTheClock });

  test('dur is a share of its seconds', () => {
    expect(against('0.5dur', at(50_000))).toEqual([50, 100]);
    expect(hasCome('0.5dur', at(99_999))).toBe(false);
    expect(hasCome('0.5dur', at(100_000))).toBe(true);
    expect(shareOf('1dur', at(50_000))).toBe(0.25);
  });

  test('batches are still counted', () => {
    expect(against('4ba', at(1e9))).toEqual([3, 4]);
  });
});

test('a time on the clock needs the clock, and a share a duration', () => {
  expect(() => against('1m', { batch: 0, timeline: counted })).toThrow('expected the elapsed time for 60sec, got none');
  expect(() => against('0.5dur', { batch: 0, timeline: { batchesPerEpoch: 1, batchSize: 1 } })).toThrow(
    'expected a duration in batches for 0.5dur',
  );
});

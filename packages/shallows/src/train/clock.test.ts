import { describe, expect, test } from 'vitest';
import { parseTime } from '../time/index.js';
import { Clock } from './clock.js';
import { StepTimes } from './step-times.js';

const timeline = { batchesPerEpoch: 3, batchSize: 16, samplesPerEpoch: 40 };

describe('Clock', () => {
  test.each([
    ['2ep', 6],
    ['6ba', 6],
    ['80sp', 6],
  ])('%s: the share that is done is exact at every batch', (duration, total) => {
    const clock = new Clock(parseTime(duration), timeline);
    expect(clock.totalBatches).toBe(total);
    for (let batch = 0; batch <= total; batch++) {
      expect(clock.progress()).toMatchObject({
        batch,
        fraction: batch / total,
        epoch: Math.floor(batch / 3),
        sample: 16 * batch,
      });
      expect(clock.finished).toBe(batch === total);
      clock.advance(16);
    }
    expect(clock.progress().fraction).toBe(1);
  });

  test('stands still until it is started, and goes on from where it was', async () => {
    const clock = new Clock(parseTime('1h'), timeline);
    const wait = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10));
    await wait();
    expect(clock.elapsedMs).toBe(0);
    clock.start();
    await wait();
    clock.stop();
    const { elapsedMs } = clock;
    expect(elapsedMs).toBeGreaterThan(5);
    await wait();
    expect(clock.elapsedMs).toBe(elapsedMs);
    const other = new Clock(parseTime('1h'), timeline);
    other.load({ ...clock.state(), batch: 5 });
    expect(other.elapsedMs).toBe(elapsedMs);
    expect([other.batch, other.epoch, other.batchInEpoch]).toEqual([5, 1, 2]);
    expect(other.moment.timeline.seconds).toBe(3600);
    other.agree(3_600_000);
    expect(other.finished).toBe(true);
  });
});

describe('StepTimes', () => {
  test('medians are right to a quarter of a percent, and state brings them back', () => {
    const times = new StepTimes();
    expect(times.timing(1)).toBeNull();
    for (let i = 1; i <= 999; i++) times.add(i, i % 3 === 0);
    const restored = new StepTimes();
    restored.load(JSON.parse(JSON.stringify(times.state())));
    for (const each of [times, restored]) {
      const timing = each.timing(7);
      expect(timing?.totalMs).toBe(7);
      for (const [got, exact] of [
        [timing?.medianStepMs, 500],
        [timing?.medianFullStepMs, 501],
        [timing?.medianDroppedStepMs, 499.5],
      ] as const)
        expect(Math.abs((got ?? 0) / exact - 1)).toBeLessThan(0.0026);
    }
  });

  test('what is kept does not grow with the steps', () => {
    const times = new StepTimes();
    for (let i = 0; i < 10_000; i++) times.add(10 + (i % 100) / 10, true);
    expect(JSON.stringify(times.state()).length).toBeLessThan(2000);
  });

  test('has no median of what never happened', () => {
    const times = new StepTimes();
    times.add(3, true);
    expect(times.timing(3)?.medianDroppedStepMs).toBeNull();
    times.add(0, false);
    expect(times.timing(3)?.medianDroppedStepMs).toBeLessThan(1e-5);
  });
});

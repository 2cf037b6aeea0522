import { describe, expect, test } from 'vitest';
import { at, batchEnd, epochEnd, evaluation, fitStart, nonFinite } from '../../../../tests/support/journal-events.js';
import type { TrainEvent } from '../train/events.js';
import { BatchBuffer } from './journal/batch-buffer.js';
import type { JournalEntry, JournalLine } from './journal/line.js';
import { resolveRewinds } from './journal/rewind.js';
import { type Summary, TrainingSummary } from './training-summary.js';

const accuracy = { name: 'accuracy', better: 'higher' } as const;

/** Events as the lines of a journal, a line a batch. */
function linesOf(entries: readonly (TrainEvent | Extract<JournalEntry, { kind: 'rewind' }>)[]): JournalLine[] {
  const time = new Date(0).toISOString();
  return entries.map((entry, seq): JournalLine => {
    if (entry.kind !== 'batch-end') return { seq, time, ...entry };
    const buffer = new BatchBuffer();
    buffer.add(entry);
    const columns = buffer.columns();
    if (columns === null) throw new Error('expected a batch');
    return { seq, time, kind: 'batches', ...columns };
  });
}

function read(lines: readonly JournalLine[]): Summary {
  const summary = new TrainingSummary({ primary: accuracy, rowsOf: () => ({ train: 100, validation: 100 }) });
  summary.readAll(resolveRewinds(lines));
  return summary.report();
}

const batches = (from: number, to: number): TrainEvent[] =>
  Array.from({ length: to - from + 1 }, (_, i) =>
    batchEnd(from + i, { durationMs: 8, dataWaitMs: 2, loss: 1 + 0.1 * Math.sin(from + i), gradNorm: from + i }),
  );

describe('TrainingSummary', () => {
  test('says the same of events and of their journal', () => {
    const events = [fitStart(), ...batches(1, 40), nonFinite, epochEnd(40), evaluation(40)];
    const told = new TrainingSummary({ primary: accuracy, rowsOf: () => ({ train: 100, validation: 100 }) });
    for (const event of events) told.tell(event);
    expect(told.report()).toEqual(read(linesOf(events)));
    expect(told.report()).toMatchObject({
      stability: { readings: 40, nonFinite: 1, divergence: { why: 'non-finite' }, gradNorm: { largest: 40 } },
      efficiency: { steps: 40, samples: 320, trainMs: 320, dataWaitMs: 80, evaluationMs: 5, elapsedMs: 400 },
      gap: { gap: 0.25, error: Math.hypot(0.05, Math.sqrt(0.1875 / 100)), verdict: 'unknown' },
    });
  });

  test('counts what was done again apart, on the devices of its time', () => {
    const { efficiency, stability } = read(
      linesOf([
        fitStart({ worldSize: 4 }),
        ...batches(1, 3),
        evaluation(3),
        { kind: 'rewind', batch: 1 },
        fitStart({ at: at(1), worldSize: 2 }),
        ...batches(2, 3),
        evaluation(3),
      ]),
    );
    expect(stability.readings).toBe(3);
    // Two steps of 10 ms and an evaluation of 5 ms in vain; 10 ms of four devices, 20 ms of two.
    expect(efficiency).toMatchObject({ devices: 2, steps: 3, retriedMs: 25, elapsedMs: 30 + 25 });
    expect(efficiency.deviceHours).toBeCloseTo((4 * (10 + 25) + 2 * 20) / 3_600_000, 12);
  });

  test('judges by what the start of the run says', () => {
    const sides = (rmse: number) => ({ loss: 1, rmse });
    const { gap } = read(
      linesOf([
        fitStart({ primary: { name: 'rmse', better: 'lower' } }),
        evaluation(1, { train: sides(2), validation: sides(3) }),
      ]),
    );
    expect(gap).toMatchObject({ gap: 1, error: null });
  });
});

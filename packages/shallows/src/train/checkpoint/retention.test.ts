import { describe, expect, test } from 'vitest';
import { ShallowsError } from '../../errors.js';
import type { CheckpointEntry } from './list.js';
import { completeRetention, expendable, type Retention } from './retention.js';

/** Checkpoints after batches 1, 2, 3, …, ten batches an epoch, with a loss each. */
function saved(losses: readonly number[]): CheckpointEntry[] {
  const file = { bytes: 0, sha256: '0'.repeat(64) };
  return losses.map((loss, i) => ({
    name: `ba${i + 1}`,
    path: `checkpoints/ba${i + 1}`,
    problem: null,
    manifest: {
      schema: 1,
      sequence: i + 1,
      savedAt: '',
      progress: {
        epoch: Math.floor((i + 1) / 10),
        batch: i + 1,
        sample: 32 * (i + 1),
        elapsedMs: 500 * (i + 1),
        fraction: (i + 1) / losses.length,
      },
      metrics: { 'validation.loss': loss },
      files: { 'model.safetensors': file, 'state.safetensors': file, 'state.json': file },
    },
  }));
}

function kept(losses: readonly number[], retention: Retention): number[] {
  const entries = saved(losses);
  const rules = completeRetention('test', retention);
  const gone = new Set(rules === null ? [] : expendable(entries, rules));
  return entries.flatMap(({ name }, i) => (gone.has(name) ? [] : [i + 1]));
}

const flat = (count: number): number[] => new Array<number>(count).fill(1);

describe('what is kept', () => {
  test('everything without rules', () => {
    expect(kept(flat(5), {})).toEqual([1, 2, 3, 4, 5]);
    expect(completeRetention('test', {})).toBeNull();
  });

  test('the newest so many', () => {
    expect(kept(flat(5), { last: 2 })).toEqual([4, 5]);
    expect(kept(flat(1), { last: 2 })).toEqual([1]);
    expect(kept([], { last: 2 })).toEqual([]);
  });

  test('the best, the earlier of equals, never NaN, and always the newest', () => {
    const losses = [3, 1, 2, 1, Number.NaN, 5];
    expect(kept(losses, { best: { metric: 'validation.loss', mode: 'min' } })).toEqual([2, 6]);
    expect(kept(losses, { best: { metric: 'validation.loss', mode: 'min', count: 3 } })).toEqual([2, 3, 4, 6]);
    expect(kept(losses, { best: { metric: 'validation.loss', mode: 'max' } })).toEqual([6]);
    expect(kept(losses, { best: { metric: 'validation.accuracy', mode: 'max' } })).toEqual([6]);
    const infinite = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];
    expect(kept(infinite, { best: { metric: 'validation.loss', mode: 'min' } })).toEqual([2, 3]);
  });

  test('the first of each interval, in every unit', () => {
    expect(kept(flat(25), { every: '1ep' })).toEqual([10, 20, 25]);
    expect(kept(flat(25), { every: '7ba' })).toEqual([7, 14, 21, 25]);
    expect(kept(flat(10), { every: '100sp' })).toEqual([4, 7, 10]);
    expect(kept(flat(10), { every: '2sec' })).toEqual([4, 8, 10]);
    // 0.3 ÷ 0.1, 0.6 ÷ 0.1 and 0.7 ÷ 0.1 are not whole in floating point.
    expect(kept(flat(10), { every: '0.1dur' })).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  test('what any rule keeps', () => {
    const losses = flat(25);
    losses[2] = 0;
    expect(kept(losses, { last: 2, every: '1ep', best: { metric: 'validation.loss', mode: 'min' } })).toEqual([
      3, 10, 20, 24, 25,
    ]);
  });

  test('an interval stays kept whatever is deleted meanwhile', () => {
    const rules = completeRetention('test', { last: 1, every: '1ep' });
    if (rules === null) throw new Error('no rules');
    let held: CheckpointEntry[] = [];
    for (const entry of saved(flat(35))) {
      held.push(entry);
      const gone = new Set(expendable(held, rules));
      held = held.filter(({ name }) => !gone.has(name));
    }
    expect(held.map(({ name }) => name)).toEqual(['ba10', 'ba20', 'ba30', 'ba35']);
  });

  test('what cannot be read is left alone', () => {
    const entries: CheckpointEntry[] = [{ name: 'odd', path: 'odd', manifest: null, problem: 'x' }, ...saved(flat(3))];
    const rules = completeRetention('test', { last: 1 });
    expect(rules && expendable(entries, rules)).toEqual(['ba1', 'ba2']);
  });
});

test.each<[string, Retention, string]>([
  ['none', { last: 0 }, 'expected retention.last as a whole number from 1, got 0'],
  ['half', { last: 1.5 }, 'got 1.5'],
  [
    'no metric',
    { best: { metric: '', mode: 'min' } },
    'expected retention.best.metric as the name of a metric, got ""',
  ],
  [
    'a mode',
    { best: { metric: 'x', mode: 'lowest' as 'min' } },
    "expected retention.best.mode 'min' or 'max', got \"lowest\"",
  ],
  [
    'no best',
    { best: { metric: 'x', mode: 'min', count: 0 } },
    'expected retention.best.count as a whole number from 1, got 0',
  ],
  ['half epochs', { every: '0.5ep' }, 'expected retention.every above 0, and whole epochs, got "0.5ep"'],
  ['no interval', { every: '0ba' }, 'got "0ba"'],
  ['no time', { every: 'daily' }, 'parseTime: expected a number and a unit, got "daily"'],
])('%s is an error', (_, retention, message) => {
  expect(() => completeRetention('CheckpointStore', retention)).toThrow(ShallowsError);
  expect(() => completeRetention('CheckpointStore', retention)).toThrow(message);
});

import { describe, expect, test } from 'vitest';
import { fakeTraining, progressAt } from '../../../../../tests/support/fake-training.js';
import { ShallowsError } from '../../errors.js';
import type { Algorithm, Metrics } from '../index.js';
import { type EarlyStoppingOptions, earlyStopping } from './early-stopping.js';

type Data = Parameters<typeof fakeTraining>[0];

/** After how many evaluations a run ends, 0 where it does not, and what it says. */
function stopped(algorithm: Algorithm, validation: readonly Metrics[], given: Data = {}): [number, string] {
  const training = fakeTraining(given);
  for (const [i, metrics] of validation.entries()) {
    training.progress = progressAt(10 * (i + 1));
    void algorithm.onEvaluationEnd?.(training, { train: { loss: 9 - i }, validation: metrics, gap: { loss: 0 } });
    if (training.said.length > 0) return [i + 1, training.said.join()];
  }
  return [0, ''];
}
const losses = (...values: number[]): Metrics[] => values.map((loss) => ({ loss, accuracy: 1 - loss }));

describe('earlyStopping', () => {
  test('ends a run after so many evaluations that were not better than the best', () => {
    const [after, why] = stopped(earlyStopping({ patience: 2 }), losses(0.9, 0.7, 0.8, 0.6, 0.65, 0.61, 0.1));
    expect(after).toBe(6);
    expect(why).toBe('stop: validation.loss has not improved for 2 evaluations: none better than 0.6 of batch 40');
  });

  test('goes on where it improves, however slowly', () => {
    expect(stopped(earlyStopping({ patience: 1 }), losses(0.5, 0.49, 0.48, 0.47))[0]).toBe(0);
    expect(stopped(earlyStopping({ patience: 1, minDelta: 0.02 }), losses(0.5, 0.49, 0.48, 0.47))[0]).toBe(2);
    // Small steps that add up to more than minDelta count: each is compared with the best.
    expect(stopped(earlyStopping({ patience: 2, minDelta: 0.015 }), losses(0.5, 0.49, 0.48, 0.47, 0.46))[0]).toBe(0);
  });

  test('knows which way a metric is better, unless it is told', () => {
    const rising = losses(0.1, 0.2, 0.3);
    const accuracy: EarlyStoppingOptions = { monitor: 'validation.accuracy', patience: 1 };
    expect(stopped(earlyStopping(accuracy), rising)[0]).toBe(2);
    expect(stopped(earlyStopping({ ...accuracy, mode: 'min' }), rising)[0]).toBe(0);
    expect(stopped(earlyStopping({ monitor: 'train.loss', patience: 1 }), rising)[0]).toBe(0);
    const r2 = [
      { loss: 1, r2: 0.1 },
      { loss: 1, r2: 0.2 },
    ];
    const regression = { data: { task: 'regression', targetShape: [1] } } as const;
    expect(stopped(earlyStopping({ monitor: 'validation.r2', patience: 1 }), r2, regression)[0]).toBe(0);
  });

  test('what is not finite is no improvement', () => {
    const [after, why] = stopped(earlyStopping({ patience: 2 }), losses(Number.NaN, Number.POSITIVE_INFINITY));
    expect(after).toBe(2);
    expect(why).toContain('for 2 evaluations: no finite value');
    expect(stopped(earlyStopping({ patience: 2 }), losses(Number.NaN, 0.5, Number.NaN, 0.4))[0]).toBe(0);
  });

  test('resumed it counts on', () => {
    const first = earlyStopping({ patience: 3 });
    stopped(first, losses(0.5, 0.6, 0.7));
    const second = earlyStopping({ patience: 3 });
    const state = first.stateDict?.();
    if (state === undefined) throw new Error('no state');
    second.loadStateDict?.({ ...state, json: JSON.parse(JSON.stringify(state.json)) });
    expect(stopped(second, losses(0.55))[0]).toBe(1);
  });

  test('a metric that the run does not have is an error', () => {
    const run = (): unknown => stopped(earlyStopping({ monitor: 'validation.acuracy' }), losses(1));
    expect(run).toThrow(ShallowsError);
    expect(run).toThrow(
      `earlyStopping: expected a metric of loss, accuracy, got "acuracy", did you mean 'accuracy'? - monitor 'validation.loss'`,
    );
  });

  test.each<[EarlyStoppingOptions, string]>([
    [{ monitor: 'loss' as 'train.loss' }, 'monitor: expected train. or validation. and a metric'],
    [{ patience: 0 }, 'earlyStopping: patience: expected a whole number from 1, got 0'],
    [{ minDelta: -1, mode: 'up' as 'min' }, 'minDelta: expected a number from 0, got -1; mode: expected min or max'],
  ])('%o is an error', (options, message) => {
    expect(() => earlyStopping(options)).toThrow(ShallowsError);
    expect(() => earlyStopping(options)).toThrow(message);
  });

  test('refuses states of something else', () => {
    for (const json of [null, {}, { best: 'a', bestBatch: 0, bad: 0 }, { best: 1, bestBatch: 0, bad: -1 }]) {
      expect(() => earlyStopping().loadStateDict?.({ tensors: {}, json })).toThrow(
        'earlyStopping.loadStateDict: expected { best, bestBatch, bad }',
      );
    }
  });
});

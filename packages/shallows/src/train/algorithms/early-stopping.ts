import { didYouMean, ShallowsError, shown } from '../../errors.js';
import type { JsonValue } from '../../nn/index.js';
import { Settings } from '../../nn/settings.js';
import type { Algorithm } from '../algorithm.js';
import type { Evaluation } from '../events.js';
import { objectiveOf } from '../objective.js';

/** Options of {@link earlyStopping}. */
export interface EarlyStoppingOptions {
  /** What is watched: a metric of either side, such as `validation.loss`, `validation.accuracy` or `train.loss`. */
  readonly monitor?: `${'train' | 'validation'}.${string}`;
  /** Whether a smaller value is better, or a larger; by default what is better for the metric's name. */
  readonly mode?: 'min' | 'max';
  /** Evaluations without improvement after which the run ends, from 1. */
  readonly patience?: number;
  /** How much better counts as better, from 0. */
  readonly minDelta?: number;
}

interface State {
  /** Null before the first evaluation that had a finite value. */
  readonly best: number | null;
  readonly bestBatch: number;
  readonly bad: number;
}

/**
 * Ends a run after `patience` evaluations in a row that were not better than the best one by more than `minDelta`. What is not
 * finite is no improvement. The run ends after its current step and is evaluated like one that is done.
 *
 * Watches the loss on the validation set unless told otherwise. Keep the best weights with checkpoints by the same metric.
 * Defaults: `validation.loss`, patience 3, minDelta 0. (Prechelt 1998.)
 *
 * @throws ShallowsError for settings out of range; at the first evaluation, for a metric that the run does not have
 */
export function earlyStopping(options: EarlyStoppingOptions = {}): Algorithm {
  const { monitor = 'validation.loss', mode, patience = 3, minDelta = 0 } = options;
  const [side = '', metric = ''] = /^(train|validation)\.(.+)$/.exec(monitor)?.slice(1) ?? [];
  const settings = new Settings('earlyStopping')
    .expect(metric !== '', 'monitor', 'train. or validation. and a metric, such as validation.loss', monitor)
    .whole('patience', patience, 1)
    .number('minDelta', minDelta, 'from 0', (value) => value >= 0);
  if (mode !== undefined) settings.word('mode', mode, ['min', 'max']);
  settings.check("write earlyStopping({ monitor: 'validation.loss', patience: 3 })");
  let state: State = { best: null, bestBatch: 0, bad: 0 };
  return {
    name: 'early-stopping',
    options: { monitor, patience, minDelta, ...(mode === undefined ? {} : { mode }) },
    onEvaluationEnd(training, evaluation) {
      const value = metricOf(evaluation, side === 'train' ? 'train' : 'validation', metric);
      const direction = mode ?? (objectiveOf(training.data).better[metric] === 'higher' ? 'max' : 'min');
      const sign = direction === 'max' ? 1 : -1;
      const { batch } = training.progress;
      const { best } = state;
      const better = Number.isFinite(value) && (best === null || sign * (value - best) > minDelta);
      state = better ? { best: value, bestBatch: batch, bad: 0 } : { ...state, bad: state.bad + 1 };
      if (state.bad < patience) return;
      const times = `${state.bad} evaluation${state.bad === 1 ? '' : 's'}`;
      const since = best === null ? 'no finite value' : `none better than ${best} of batch ${state.bestBatch}`;
      training.stop(`${monitor} has not improved for ${times}: ${since}`);
    },
    stateDict: () => ({ tensors: {}, json: { ...state } }),
    loadStateDict({ json }) {
      state = readState(json);
    },
  };
}

function metricOf(evaluation: Evaluation, side: 'train' | 'validation', metric: string): number {
  const metrics = evaluation[side];
  const value = metrics[metric];
  if (value !== undefined) return value;
  const known = Object.keys(metrics);
  throw new ShallowsError(
    `earlyStopping: expected a metric of ${known.join(', ')}, got ${shown(metric)}${didYouMean(metric, known)} - ` +
      `monitor '${side}.${known[0]}'`,
  );
}

function readState(json: JsonValue): State {
  const { best, bestBatch, bad } = (typeof json === 'object' && json !== null ? json : {}) as Partial<State>;
  const count = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
  if ((best === null || typeof best === 'number') && count(bestBatch) && count(bad)) return { best, bestBatch, bad };
  throw new ShallowsError(
    `earlyStopping.loadStateDict: expected { best, bestBatch, bad }, got ${shown(json)} - pass what stateDict() gave`,
  );
}

import { ShallowsError, shown } from '../../errors.js';
import { Settings } from '../../nn/settings.js';
import { hasCome, type Time, timeProblem, timeToBatches } from '../../time/index.js';
import type { Algorithm, Training } from '../algorithm.js';
import { claimAverage, releaseAverage } from './one-average.js';
import { WeightAverage } from './weight-average.js';

/** Options of {@link ema}. */
export interface EmaOptions {
  /** Time after which a weight counts half in the average; `decay` instead says it by step. */
  readonly halflife?: string | Time;
  /** d, the share of the average that an update keeps, in [0, 1). */
  readonly decay?: number;
  /** Let the average follow closely at first: d ← min(d, 1 − (1 + k/γ)^−p) at update k. */
  readonly warmup?: boolean | { readonly gamma?: number; readonly power?: number };
  /** Time from one update to the next, in batches or what is counted in them. */
  readonly every?: string | Time;
  /** When it begins. */
  readonly start?: string | Time;
  /** Whether buffers with numbers, such as running means, are averaged too, or taken as they are. */
  readonly buffers?: 'average' | 'copy';
  /** What the model has when the run is over. */
  readonly atEnd?: 'average' | 'plain';
}

/**
 * Exponential moving average of the weights, a ← d·a + (1 − d)·w after each optimizer step; the model is evaluated with it, and
 * gets its own weights back bit for bit. The first update takes the weights as they are. (Polyak and Juditsky 1992.)
 *
 * With a half-life h and updates every e, d = 2^(−e/h), as in Composer; with `decay`, d itself, as in timm. `warmup` is that of
 * timm's `ModelEmaV3` (γ 1, p 2/3). When the run is over the model keeps the average, which is what its last evaluation
 * measured, unless `atEnd` says `plain`.
 *
 * Defaults: halflife 1000ba, every batch from the first, buffers averaged. State: the averages under the model's keys, and the
 * number of updates.
 *
 * @throws ShallowsError for settings out of range; when the run starts, for times on the clock where batches are counted, or
 *   beside `swa`
 */
export function ema(options: EmaOptions = {}): Algorithm {
  const { every = '1ba', start = '0ba', buffers = 'average', atEnd = 'average', decay, warmup = false } = options;
  const halflife = decay === undefined ? (options.halflife ?? '1000ba') : undefined;
  const { gamma = 1, power = 2 / 3 } = typeof warmup === 'object' ? warmup : {};
  check({ ...options, every, start, buffers, atEnd, gamma, power });
  let average: WeightAverage | null = null;
  let updates = 0;
  let interval = 1;
  let target = decay ?? 0;
  const text = (time: string | Time): string => (typeof time === 'string' ? time : `${time.value}${time.unit}`);

  const decayNow = (): number => {
    if (updates === 0) return 0;
    return warmup === false ? target : Math.min(target, 1 - (1 + updates / gamma) ** -power);
  };

  return {
    name: 'ema',
    options: {
      ...(halflife === undefined ? { decay: target } : { halflife: text(halflife) }),
      warmup: warmup === false ? false : { gamma, power },
      every: text(every),
      start: text(start),
      buffers,
      atEnd,
    },
    onFitStart({ model, timeline }) {
      interval = Math.max(1, timeToBatches(every, timeline));
      if (halflife !== undefined) {
        const half = timeToBatches(halflife, timeline);
        target = half === 0 ? 0 : 2 ** (-interval / half);
      }
      claimAverage('ema', model);
      average = new WeightAverage(model, { buffers });
      updates = 0;
    },
    onOptimizerStepEnd(training) {
      if (average === null || !isDue(training, start, interval)) return;
      average.update(1 - decayNow());
      updates++;
    },
    onEvaluationStart() {
      if (updates > 0) average?.swapIn();
    },
    onEvaluationEnd() {
      if (average?.swapped === true) average.swapOut();
    },
    onFitEnd({ ended, model }) {
      if (average === null) return;
      if (atEnd === 'average' && updates > 0 && ended !== null) average.adopt();
      average.dispose();
      average = null;
      releaseAverage(model);
    },
    stateDict: () => ({ tensors: average?.tensors() ?? {}, json: { updates } }),
    loadStateDict({ tensors, json }) {
      const saved = typeof json === 'object' && json !== null && 'updates' in json ? json.updates : undefined;
      if (typeof saved !== 'number' || !Number.isSafeInteger(saved) || saved < 0) {
        throw new ShallowsError(
          `ema.loadStateDict: expected { updates }, got ${shown(json)} - pass what stateDict() gave`,
        );
      }
      average?.load(tensors);
      updates = saved;
    },
  };
}

/** Whether the step that just ended is one after which to update. */
function isDue({ progress, timeline }: Training, start: string | Time, interval: number): boolean {
  const { batch, elapsedMs } = progress;
  return (batch + 1) % interval === 0 && hasCome(start, { batch, elapsedMs, timeline });
}

function check(options: EmaOptions & { readonly gamma: number; readonly power: number }): void {
  const { halflife, decay, every = '', start = '', buffers = '', atEnd = '', warmup = false, gamma, power } = options;
  const settings = new Settings('ema')
    .expect(halflife === undefined || decay === undefined, 'options', 'halflife or decay', 'both')
    .number('decay', decay ?? 0, 'from 0 to below 1', (value) => value >= 0 && value < 1)
    .expect(
      typeof warmup === 'boolean' || typeof warmup === 'object',
      'warmup',
      'true, false or { gamma, power }',
      warmup,
    )
    .number('gamma', gamma, 'above 0', (value) => value > 0)
    .number('power', power, 'above 0', (value) => value > 0)
    .word('buffers', buffers, ['average', 'copy'])
    .word('atEnd', atEnd, ['average', 'plain']);
  for (const [name, time] of Object.entries({ halflife: halflife ?? '1ba', every, start })) {
    const problem = timeProblem(time);
    settings.expect(problem === null, name, problem?.expected ?? '', typeof time === 'string' ? time : shown(time));
  }
  settings.check("write ema({ halflife: '1000ba' }) or ema({ decay: 0.9999, warmup: true })");
}

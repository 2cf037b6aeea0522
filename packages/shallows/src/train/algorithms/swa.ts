import { noGrad, Operator, type Tensor } from '@shallows/torch';
import type { BatchSource } from '../../data/index.js';
import { ShallowsError, shown } from '../../errors.js';
import type { JsonValue } from '../../nn/index.js';
import { Settings } from '../../nn/settings.js';
import { hasCome, type Time, timeProblem, timeToBatches } from '../../time/index.js';
import type { Algorithm, Training } from '../algorithm.js';
import { batchNormsOf, estimateBatchNorm } from './batch-norm-statistics.js';
import { claimAverage, releaseAverage } from './one-average.js';
import { WeightAverage } from './weight-average.js';

/** Options of {@link swa}. */
export interface SwaOptions {
  /** When it begins. */
  readonly start?: string | Time;
  /** Time from one weight that is averaged to the next, in batches or what is counted in them. */
  readonly every?: string | Time;
  /** The rate from the start on, as a factor on the base rate; null leaves the run's schedule in force. */
  readonly rate?: number | null;
  /** Time over which the rate moves from that of the start to `rate`; 0ba at once. */
  readonly anneal?: string | Time;
  /** Whether the rate moves along a half cosine or a line. */
  readonly shape?: 'cosine' | 'linear';
  /** The run's own batches of an epoch: needed where the model has batch norm, whose statistics are taken anew. */
  readonly source?: (epoch: number) => BatchSource;
  /** How many batches the statistics are taken of, from 1. */
  readonly batches?: number;
}

interface State {
  /** Weights that are averaged. */
  readonly count: number;
  /** Finished batches as it began, and each group's rate then; null before. */
  readonly begun: { readonly batch: number; readonly rates: readonly number[] } | null;
}

/**
 * Stochastic weight averaging: from `start` on, the mean of the weights at the end of each period, a ← a + (w − a) / (n + 1). The
 * model is evaluated with the mean, and has it when the run is over. Batch norms get statistics of the averaged network, over
 * some batches of training data, at each evaluation and at the end. (Izmailov et al. 2018.)
 *
 * The rate may go to a constant one, as by PyTorch's `SWALR`: r + (r₀ − r)·(1 − α(t)), α along a half cosine or a line over
 * `anneal`. Of several ranks each takes the statistics of its own rows. Defaults: start 0.75dur, every 1ep, the run's own schedule,
 * anneal 10ep along a cosine, 100 batches. State: the mean under the model's keys, its count, and the rates of the start.
 *
 * @throws ShallowsError for settings out of range; when the run starts, for a model with batch norm and no `source`, or beside
 *   `ema`
 */
export function swa(options: SwaOptions = {}): Algorithm {
  const { start = '0.75dur', every = '1ep', rate = null, anneal = '10ep', shape = 'cosine', source } = options;
  const { batches = 100 } = options;
  check({ start, every, rate, anneal, shape, source, batches });
  const text = (time: string | Time): string => (typeof time === 'string' ? time : `${time.value}${time.unit}`);
  let average: WeightAverage | null = null;
  let statistics: Statistics | null = null;
  let state: State = { count: 0, begun: null };
  let [interval, annealed] = [1, 0];

  /** Puts the mean into the model, and statistics of it into its batch norms. */
  async function enter(training: Training): Promise<void> {
    average?.swapIn();
    if (statistics?.count === state.count) return statistics.restore();
    if (source === undefined || batchNormsOf(training.model).length === 0) return;
    const data = source(0);
    try {
      await estimateBatchNorm(training.model, data, batches);
    } finally {
      await data.close?.();
    }
    statistics?.dispose();
    statistics = new Statistics(training, state.count);
  }

  return {
    name: 'swa',
    options: { start: text(start), every: text(every), rate, anneal: text(anneal), shape, batches },
    onFitStart({ model, timeline }) {
      if (source === undefined && batchNormsOf(model).length > 0) {
        throw new ShallowsError(
          'swa: expected a source of batches for a model with batch norm, got none - pass the one of the trainer: its statistics belong to no averaged weights',
        );
      }
      interval = Math.max(1, timeToBatches(every, timeline));
      annealed = timeToBatches(anneal, timeline);
      claimAverage('swa', model);
      average = new WeightAverage(model, { buffers: 'copy' });
      state = { count: 0, begun: null };
    },
    onOptimizerStepStart({ progress, timeline, optimizer }) {
      const { batch, elapsedMs } = progress;
      if (!hasCome(start, { batch, elapsedMs, timeline })) return;
      if (state.begun === null) state = { ...state, begun: { batch, rates: optimizer.groups.map(({ lr }) => lr) } };
      if (rate === null) return;
      const alpha = annealing(batch - (state.begun?.batch ?? 0), annealed, shape);
      for (const [i, group] of optimizer.groups.entries()) {
        const first = state.begun?.rates[i] ?? group.lr;
        group.lr = group.baseLr * rate * alpha + first * (1 - alpha);
      }
    },
    onBatchEnd({ progress }) {
      const { begun, count } = state;
      if (begun === null || progress.batch % interval !== 0) return;
      average?.update(1 / (count + 1));
      state = { begun, count: count + 1 };
    },
    async onEvaluationStart(training) {
      if (state.count > 0) await enter(training);
    },
    onEvaluationEnd() {
      if (average?.swapped === true) average.swapOut();
    },
    async onFitEnd(training) {
      if (average === null) return;
      try {
        if (state.count > 0 && training.ended !== null) {
          await enter(training);
          average.adopt();
        }
      } finally {
        statistics?.dispose();
        average.dispose();
        [statistics, average] = [null, null];
        releaseAverage(training.model);
      }
    },
    stateDict: () => ({ tensors: average?.tensors() ?? {}, json: { ...state } }),
    loadStateDict({ tensors, json }) {
      const read = readState(json);
      average?.load(tensors);
      state = read;
    },
  };
}

/** α, the share of the way to the last rate, after some steps. */
function annealing(steps: number, length: number, shape: 'cosine' | 'linear'): number {
  const share = length === 0 ? 1 : Math.min(steps / length, 1);
  return shape === 'linear' ? share : (1 - Math.cos(Math.PI * share)) / 2;
}

const clone = new Operator('aten::_foreach_clone');
const copyAll_ = new Operator('aten::_foreach_copy_');

/** The running statistics that belong to a mean of some count. */
class Statistics {
  readonly #buffers: readonly Tensor[];
  readonly #values: readonly Tensor[];

  constructor(
    { model }: Training,
    readonly count: number,
  ) {
    this.#buffers = batchNormsOf(model).flatMap((norm) => [norm.runningMean, norm.runningVar, norm.numBatchesTracked]);
    this.#values = clone.call([this.#buffers]) as Tensor[];
  }

  restore(): void {
    noGrad(() => copyAll_.call([this.#buffers, this.#values]));
  }

  dispose(): void {
    for (const each of this.#values) each.dispose();
  }
}

function readState(json: JsonValue): State {
  const { count, begun } = (typeof json === 'object' && json !== null ? json : {}) as Partial<State>;
  const whole = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
  const good = begun === null || (typeof begun === 'object' && whole(begun.batch) && Array.isArray(begun.rates));
  if (whole(count) && begun !== undefined && good) return { count, begun };
  throw new ShallowsError(
    `swa.loadStateDict: expected { count, begun }, got ${shown(json)} - pass what stateDict() gave`,
  );
}

type Checked = { [Name in keyof SwaOptions]-?: SwaOptions[Name] | undefined };

function check({
  start = '',
  every = '',
  rate = null,
  anneal = '',
  shape = 'cosine',
  source,
  batches = 0,
}: Checked): void {
  const settings = new Settings('swa')
    .word('shape', shape, ['cosine', 'linear'])
    .whole('batches', batches, 1)
    .expect(source === undefined || typeof source === 'function', 'source', 'a function of an epoch', source);
  if (rate !== null) settings.number('rate', rate, 'from 0', (value) => value >= 0);
  for (const [name, time] of Object.entries({ start, every, anneal })) {
    const problem = timeProblem(time);
    settings.expect(problem === null, name, problem?.expected ?? '', typeof time === 'string' ? time : shown(time));
  }
  settings.check("write swa({ start: '0.75dur', every: '1ep', source })");
}

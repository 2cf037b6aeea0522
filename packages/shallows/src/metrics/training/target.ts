import { ShallowsError, shown } from '../../errors.js';
import { type Better, gain, type TrainingPoint } from './direction.js';
import { Trend, type TrendState } from './trend.js';

/** What a metric is to reach, and for how long. */
export interface TargetOptions {
  /** Name of the metric, such as `accuracy`. */
  readonly metric: string;
  readonly better: Better;
  readonly value: number;
  /** Evaluations in a row that have to be at the target or past it. */
  readonly stays?: number;
  /** Decay of the exponential average that is compared with the target; 0, the default, takes each evaluation as it is. */
  readonly decay?: number;
}

/** When a target was reached: see {@link TargetMeter}. */
export interface TargetReport {
  readonly metric: string;
  readonly better: Better;
  readonly value: number;
  readonly stays: number;
  /** The first of the evaluations that reached the target and stayed; null where it was not: then the time is longer than `last`. */
  readonly reached: TrainingPoint | null;
  /** Evaluations at the target in a row, at the end. */
  readonly held: number;
  readonly evaluations: number;
  /** The best value that was compared with the target; null before the first evaluation. */
  readonly best: number | null;
  /** The last evaluation: where an unreached target is censored. */
  readonly last: TrainingPoint | null;
}

/** What a {@link TargetMeter} remembers. Plain JSON data. */
export interface TargetState {
  readonly trend: TrendState;
  readonly since: TrainingPoint | null;
  readonly held: number;
  readonly reached: TrainingPoint | null;
  readonly best: number | null;
  readonly last: TrainingPoint | null;
  readonly evaluations: number;
}

/**
 * Time, steps and samples to a target: the first evaluation at the target from which on `stays` evaluations in a row are.
 *
 * A run that ends earlier is censored, as in survival analysis: the time is known to be longer than the run.
 */
export class TargetMeter {
  readonly #options: Required<TargetOptions>;
  readonly #trend: Trend;
  #since: TrainingPoint | null = null;
  #held = 0;
  #reached: TrainingPoint | null = null;
  #best: number | null = null;
  #last: TrainingPoint | null = null;
  #evaluations = 0;

  /** @throws ShallowsError for a value that is not finite, `stays` that is no whole number from 1, a decay outside [0, 1) */
  constructor({ metric, better, value, stays = 3, decay = 0 }: TargetOptions) {
    if (!Number.isFinite(value)) throw refused('a finite value', value);
    if (!(Number.isSafeInteger(stays) && stays >= 1)) throw refused('evaluations to stay from 1', stays);
    if (!(decay >= 0 && decay < 1)) throw refused('a decay in [0, 1)', decay);
    this.#options = { metric, better, value, stays, decay };
    this.#trend = new Trend(decay);
  }

  /** Takes the metric of an evaluation. One that is not finite is not at the target. */
  add(value: number, { epoch, batch, sample, elapsedMs }: TrainingPoint): void {
    const point = { epoch, batch, sample, elapsedMs };
    const { better, value: target, stays } = this.#options;
    this.#last = point;
    this.#evaluations += 1;
    const compared = Number.isFinite(value) ? this.#trend.add(value) : null;
    if (compared !== null && (this.#best === null || gain(compared, this.#best, better) > 0)) this.#best = compared;
    if (compared === null || gain(compared, target, better) < 0) {
      this.#held = 0;
      this.#since = null;
      return;
    }
    this.#since ??= point;
    this.#held += 1;
    if (this.#held >= stays) this.#reached ??= this.#since;
  }

  report(): TargetReport {
    const { metric, better, value, stays } = this.#options;
    return {
      metric,
      better,
      value,
      stays,
      reached: this.#reached,
      held: this.#held,
      evaluations: this.#evaluations,
      best: this.#best,
      last: this.#last,
    };
  }

  /** Everything that `load` needs to go on as if nothing had been between. */
  state(): TargetState {
    return {
      trend: this.#trend.state(),
      since: this.#since,
      held: this.#held,
      reached: this.#reached,
      best: this.#best,
      last: this.#last,
      evaluations: this.#evaluations,
    };
  }

  load(state: TargetState): void {
    this.#trend.load(state.trend);
    this.#since = state.since;
    this.#held = state.held;
    this.#reached = state.reached;
    this.#best = state.best;
    this.#last = state.last;
    this.#evaluations = state.evaluations;
  }
}

function refused(expected: string, got: number): ShallowsError {
  return new ShallowsError(
    `TargetMeter: expected ${expected}, got ${shown(got)} - write for example value 0.9, stays 3`,
  );
}

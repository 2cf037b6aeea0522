import { ShallowsError, shown } from '../../errors.js';
import { deviationFromLine, MAD_TO_STD, median, medianDeviation } from './order.js';
import { Trend, type TrendState } from './trend.js';

/** A loss far above the trend of those before it. */
export interface Spike {
  readonly batch: number;
  readonly loss: number;
  /** What it had to exceed. */
  readonly limit: number;
}

/** Where a training was lost: a loss that is not finite, or a trend that rose to a multiple of its best. */
export interface Divergence {
  readonly batch: number;
  readonly why: 'non-finite' | 'rising';
}

/** How steadily a training went: see {@link StabilityMeter}. */
export interface StabilityReport {
  /** Losses that were read back and finite. */
  readonly readings: number;
  readonly nonFinite: number;
  /** Standard deviation of the detrended loss over the last window; null before eleven readings. */
  readonly std: number | null;
  /** The mean of that over all windows of the run. */
  readonly meanStd: number | null;
  /** Standard deviation of the last five epochs' mean losses around their line; null before three epochs. */
  readonly epochStd: number | null;
  readonly spikes: number;
  /** Spikes in a thousand readings. */
  readonly spikesPerThousand: number;
  /** The first hundred. */
  readonly spikesAt: readonly Spike[];
  readonly divergence: Divergence | null;
  /** The last value of the trend, and its lowest. */
  readonly trend: number | null;
  readonly bestTrend: number | null;
  /** Of the gradient norms that were read back and finite; null where none was. */
  readonly gradNorm: { readonly mean: number; readonly largest: number } | null;
}

/** Options of {@link StabilityMeter}. */
export interface StabilityOptions {
  /** Readings that a loss is compared with. */
  readonly window?: number;
  /** Of the trend. */
  readonly decay?: number;
  /** Robust standard deviations above the median from which a loss is a spike. */
  readonly sigmas?: number;
  /** Multiple of the best trend from which a run has diverged. */
  readonly diverged?: number;
}

/** What a {@link StabilityMeter} remembers. Plain JSON data, of a bounded size. */
export interface StabilityState {
  readonly residuals: readonly number[];
  readonly epochs: readonly number[];
  readonly trend: TrendState;
  readonly best: number | null;
  readonly stds: { readonly sum: number; readonly count: number };
  readonly nonFinite: number;
  readonly spikes: number;
  readonly spikesAt: readonly Spike[];
  readonly divergence: Divergence | null;
  readonly norms: { readonly sum: number; readonly count: number; readonly largest: number };
}

const LEAST = 10;
const KEPT_SPIKES = 100;
const EPOCHS = 5;

/**
 * Training stability, from losses that come one by one; memory does not grow with the run.
 *
 * - residual: `x − trend before x`, the trend being an exponential average of decay 0.98, without the bias of its start;
 * - deviation: the standard deviation of the last 50 residuals around their line, which takes away how far the trend lags behind; of
 *   a run of fewer than 100, of the later half of its residuals, so that the fall of its start is no spread;
 * - spike: a residual above `median + 6 · 1.4826 · MAD` of the 50 before it (and above the median by a thousandth of the trend,
 *   where those are all but equal);
 * - divergence: a loss that is not finite, or a trend above 3 × its lowest value.
 *
 * Nothing is judged before ten of them. Numbers that are not finite count as such and enter nothing else.
 */
export class StabilityMeter {
  readonly #options: Required<StabilityOptions>;
  readonly #trend: Trend;
  #residuals: number[] = [];
  #epochs: number[] = [];
  #best: number | null = null;
  #stds = { sum: 0, count: 0 };
  #nonFinite = 0;
  #spikes = 0;
  #spikesAt: Spike[] = [];
  #divergence: Divergence | null = null;
  #norms = { sum: 0, count: 0, largest: 0 };

  /** @throws ShallowsError for options that make no sense */
  constructor({ window = 50, decay = 0.98, sigmas = 6, diverged = 3 }: StabilityOptions = {}) {
    if (!(Number.isSafeInteger(window) && window >= LEAST))
      throw refused(`a window of ${String(LEAST)} or more`, window);
    if (!(decay >= 0 && decay < 1)) throw refused('a decay in [0, 1)', decay);
    if (!(sigmas > 0)) throw refused('sigmas above 0', sigmas);
    if (!(diverged > 1)) throw refused('a factor of divergence above 1', diverged);
    this.#options = { window, decay, sigmas, diverged };
    this.#trend = new Trend(decay);
  }

  /** Takes the loss of a batch. Gives the spike that it is, or null. */
  add({ batch, loss }: { readonly batch: number; readonly loss: number }): Spike | null {
    if (!Number.isFinite(loss)) {
      this.#nonFinite += 1;
      this.#divergence ??= { batch, why: 'non-finite' };
      return null;
    }
    const spike = this.#spikeOf(batch, loss);
    if (spike !== null) {
      this.#spikes += 1;
      if (this.#spikesAt.length < KEPT_SPIKES) this.#spikesAt.push(spike);
    }
    this.#follow(batch, loss);
    return spike;
  }

  /** Takes the norm of the whole gradient of a batch. */
  addGradNorm(norm: number): void {
    if (!Number.isFinite(norm)) return;
    const { sum, count, largest } = this.#norms;
    this.#norms = { sum: sum + norm, count: count + 1, largest: Math.max(largest, norm) };
  }

  /** Takes the mean training loss of an epoch. */
  addEpoch(loss: number): void {
    if (Number.isFinite(loss)) this.#epochs = [...this.#epochs, loss].slice(-EPOCHS);
  }

  report(): StabilityReport {
    const { count, value: trend } = this.#trend;
    const { sum, count: norms, largest } = this.#norms;
    const epochStd = deviationFromLine(this.#epochs);
    return {
      readings: count,
      nonFinite: this.#nonFinite,
      std: this.#residuals.length < LEAST ? null : deviationFromLine(this.#residuals.slice(-this.#later())),
      meanStd: this.#stds.count === 0 ? null : this.#stds.sum / this.#stds.count,
      epochStd: Number.isFinite(epochStd) ? epochStd : null,
      spikes: this.#spikes,
      spikesPerThousand: count === 0 ? 0 : (1000 * this.#spikes) / count,
      spikesAt: [...this.#spikesAt],
      divergence: this.#divergence,
      trend,
      bestTrend: this.#best,
      gradNorm: norms === 0 ? null : { mean: sum / norms, largest },
    };
  }

  /** Everything that `load` needs to go on as if nothing had been between. */
  state(): StabilityState {
    return {
      residuals: [...this.#residuals],
      epochs: [...this.#epochs],
      trend: this.#trend.state(),
      best: this.#best,
      stds: { ...this.#stds },
      nonFinite: this.#nonFinite,
      spikes: this.#spikes,
      spikesAt: [...this.#spikesAt],
      divergence: this.#divergence,
      norms: { ...this.#norms },
    };
  }

  load(state: StabilityState): void {
    this.#residuals = [...state.residuals];
    this.#epochs = [...state.epochs];
    this.#trend.load(state.trend);
    this.#best = state.best;
    this.#stds = { ...state.stds };
    this.#nonFinite = state.nonFinite;
    this.#spikes = state.spikes;
    this.#spikesAt = [...state.spikesAt];
    this.#divergence = state.divergence;
    this.#norms = { ...state.norms };
  }

  /** How many residuals the last deviation is taken of: the later half of all, ten at least and a window at most. */
  #later(): number {
    return Math.min(this.#options.window, Math.max(LEAST, Math.ceil((this.#trend.count - 1) / 2)));
  }

  #spikeOf(batch: number, loss: number): Spike | null {
    const trend = this.#trend.value;
    if (trend === null || this.#residuals.length < LEAST) return null;
    const robust = this.#options.sigmas * MAD_TO_STD * medianDeviation(this.#residuals);
    const limit = trend + median(this.#residuals) + Math.max(robust, Math.abs(trend) / 1000);
    return loss > limit ? { batch, loss, limit } : null;
  }

  #follow(batch: number, loss: number): void {
    const { window, diverged } = this.#options;
    const before = this.#trend.value;
    if (before !== null) this.#residuals = [...this.#residuals, loss - before].slice(-window);
    const trend = this.#trend.add(loss);
    if (this.#residuals.length === window) {
      const { sum, count } = this.#stds;
      this.#stds = { sum: sum + deviationFromLine(this.#residuals), count: count + 1 };
    }
    if (this.#trend.count < LEAST) return;
    this.#best = Math.min(this.#best ?? trend, trend);
    // A multiple of what is not above zero says nothing.
    if (this.#best > 0 && trend > diverged * this.#best) this.#divergence ??= { batch, why: 'rising' };
  }
}

function refused(expected: string, got: number): ShallowsError {
  return new ShallowsError(`StabilityMeter: expected ${expected}, got ${shown(got)} - leave it out for the default`);
}

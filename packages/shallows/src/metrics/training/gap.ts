import { type Better, gain } from './direction.js';
import { type Proportion, proportionError } from './proportion.js';

/** What a gap between training and validation means. `unknown`: there is not enough data to tell. */
export type GapVerdict = 'unknown' | 'fine' | 'warn' | 'alert';

/** A gap at one evaluation. */
export interface GapReading {
  /** Training less validation where higher is better, else validation less training: positive where the model overfits. */
  readonly gap: number;
  /** Standard error of the gap, `√(pₜ(1 − pₜ)/nₜ + pᵥ(1 − pᵥ)/nᵥ)`; null for a metric that is no share of rows. */
  readonly error: number | null;
  /** The gap that remains when chance is taken off: `gap − 1.645 · error`, the lower end at 95 % on one side. */
  readonly atLeast: number | null;
  readonly verdict: GapVerdict;
}

/** Options of {@link GapMeter}. */
export interface GapOptions {
  readonly warn?: number;
  readonly alert?: number;
  /** Evaluations in a row that have to exceed a limit. */
  readonly persist?: number;
}

/** One side of an evaluation. `rows` is null for a metric that is no share of rows. */
export interface GapSide {
  readonly value: number;
  readonly rows: number | null;
}

const Z_ONE_SIDED = 1.645;

/**
 * Generalisation gap of a metric, both sides in evaluation mode: `warn` above 0.02 and `alert` above 0.03, where the gap
 * exceeds the limit by more than chance explains, in three evaluations in a row.
 */
export class GapMeter {
  readonly #better: Better;
  readonly #limits: { readonly warn: number; readonly alert: number };
  readonly #persist: number;
  #atLeast: number[] = [];

  constructor(better: Better, { warn = 0.02, alert = 0.03, persist = 3 }: GapOptions = {}) {
    this.#better = better;
    this.#limits = { warn, alert };
    this.#persist = persist;
  }

  /** Takes both sides of an evaluation and says what the gap means by now. */
  add(train: GapSide, validation: GapSide): GapReading {
    const gap = gain(train.value, validation.value, this.#better);
    const [a, b] = [shareOf(train), shareOf(validation)];
    const error = a === null || b === null ? null : Math.hypot(proportionError(a), proportionError(b));
    const atLeast = error === null ? null : gap - Z_ONE_SIDED * error;
    this.#atLeast = [...this.#atLeast, atLeast ?? Number.NaN].slice(-this.#persist);
    return { gap, error, atLeast, verdict: this.#verdict() };
  }

  #verdict(): GapVerdict {
    const lately = this.#atLeast;
    if (lately.length < this.#persist || lately.some(Number.isNaN)) return 'unknown';
    const least = Math.min(...lately);
    return least > this.#limits.alert ? 'alert' : least > this.#limits.warn ? 'warn' : 'fine';
  }
}

function shareOf({ value, rows }: GapSide): Proportion | null {
  return rows !== null && value >= 0 && value <= 1 ? { share: value, rows } : null;
}

import type { TimeSchedule } from '../depth/index.js';
import { ShallowsError, shown } from '../errors.js';
import type { Pass } from '../nn/pass.js';
import { type DropRate, rateIn, rateProblem, scheduleProblems, splitRate } from './rate.js';

/** What one decision covers: a number, a channel, a square of a map, a weight, a feature over all time, a word, a layer. */
export type DropoutGranularity = 'element' | 'channel' | 'block' | 'weight' | 'feature' | 'word' | 'layer';

/**
 * What makes up for what is dropped: `inverted` is 1/(1 − p) on what is kept; `affine` keeps mean 0 and variance 1;
 * `normalised` divides by the kept share; `noise` has mean 1 by itself; `none` is left as it is.
 */
export type DropoutScaling = 'inverted' | 'affine' | 'normalised' | 'noise' | 'none';

/** Options of a {@link DropoutSite}. */
export interface DropoutSiteOptions {
  /** For messages: `Dropout2d`. */
  readonly fn: string;
  readonly granularity: DropoutGranularity;
  readonly scaling: DropoutScaling;
  readonly rate: DropRate;
  /** Its place, where it is not to be named by its path in the model. */
  readonly name?: string | undefined;
  /** Whether a rate of 1 makes no sense. */
  readonly open?: boolean;
}

/**
 * One place of a model that drops units at random: its name, which all its draws derive from, and its rate, which can be set
 * on a live model. `nameDropouts` names it by its path.
 */
export class DropoutSite {
  /** What kind of dropout it is: `dropout`, `dropout2d`, `alpha-dropout`, `drop-connect`, … */
  readonly kind: string;
  readonly granularity: DropoutGranularity;
  readonly scaling: DropoutScaling;
  /** Whether its maker named it, so that `nameDropouts` does not. */
  readonly isNamed: boolean;
  /** Unique in its model; `''` until it is named. */
  name: string;
  readonly #fn: string;
  readonly #open: boolean;
  #rate = 0;
  #schedule: TimeSchedule | null = null;

  /** @throws ShallowsError for a rate outside [0, 1], NaN included, or a schedule that is none */
  constructor(kind: string, { fn, granularity, scaling, rate, name = '', open = false }: DropoutSiteOptions) {
    this.kind = kind;
    this.granularity = granularity;
    this.scaling = scaling;
    this.#fn = fn;
    this.#open = open;
    if (typeof name !== 'string') {
      throw new ShallowsError(`${fn}: name: expected a string, got ${shown(name)} - write { name: 'head.dropout' }`);
    }
    this.name = name;
    this.isNamed = name !== '';
    const given = splitRate(rate);
    this.rate = given.rate as number;
    this.schedule = given.schedule;
  }

  /** The drop rate, in [0, 1]: the share of units that is dropped at a factor of 1. */
  get rate(): number {
    return this.#rate;
  }

  /** @throws ShallowsError for a rate outside [0, 1], NaN included: the rate stays as it was */
  set rate(rate: number) {
    const problem = rateProblem(rate, this.#open);
    if (problem !== null) throw new ShallowsError(`${this.#fn}: rate: ${problem}`);
    this.#rate = rate;
  }

  /** How the rate runs over training time; null where it is the same all the time. */
  get schedule(): TimeSchedule | null {
    return this.#schedule;
  }

  /** @throws ShallowsError for a schedule that is none, naming all that is wrong: the schedule stays as it was */
  set schedule(schedule: TimeSchedule | null) {
    const problems = schedule === null ? [] : scheduleProblems(schedule);
    if (problems.length > 0) throw new ShallowsError(`${this.#fn}: ${problems.join('; ')}`);
    this.#schedule = schedule;
  }

  /** The rate at which it drops in a pass: 0 in evaluation. */
  rateIn(pass: Pass): number {
    return rateIn(pass, this.name, this.#rate, this.#schedule);
  }

  /** Whether it drops anything in a pass. */
  isActive(pass: Pass): boolean {
    return this.rateIn(pass) > 0;
  }
}

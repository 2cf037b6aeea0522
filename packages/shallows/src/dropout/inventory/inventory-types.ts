import type { TimeSchedule } from '../../depth/index.js';
import type { PassMode } from '../../nn/pass.js';

/** A place in a model that is random, and what is known of it: frozen plain data. */
export interface StochasticSite {
  /** Its path, by which its draws go and `setRates` finds it: `blocks.3.mlp.drop1`. */
  readonly name: string;
  /**
   * `dropout`, `dropout2d`, `alpha-dropout`, `drop-connect`, `layer-drop`, …; `depth` for a site of stochastic depth,
   * `drop-path` and `stochastic-depth` for the modules of these names, `function` for a function called with a name of its own.
   */
  readonly kind: string;
  /** In [0, 1], before any schedule. */
  readonly rate: number;
  /** Whether it has a rate above 0. */
  readonly active: boolean;
  /** What one decision covers: `element`, `channel`, `row`, `block`, …; `unknown` for a function. */
  readonly granularity: string;
  /** What makes up for what is dropped: `inverted`, `paper`, `none`, …; `unknown` for a function. */
  readonly scaling: string;
  /** How the rate runs over training time; null where it does not. */
  readonly schedule: TimeSchedule | null;
  /** Whether the example's forward pass came to it; null without an example. */
  readonly reached: boolean | null;
  /** Its place among all random places in the order of the data flow, from 0; in this list without an example. */
  readonly position: number | null;
  /** How often it draws in one forward pass; of one at rate 0 how often it was called, as far as that shows. */
  readonly calls: number | null;
  /** Decisions that a mask has for each row; for weights, for all rows; null where not known. */
  readonly fanIn: number | null;
  /** Width of what it drops: features or channels. */
  readonly features: number | null;
  /** The operator or random place that made its input: `linear`; null for the model's input or a weight, or if not known. */
  readonly follows: string | null;
  /** The operators or random places that read its output next; `output` where the model gives it. */
  readonly before: readonly string[];
  /** The nearest operator with weights, normalisation or softmax that its input went through. */
  readonly layer: string | null;
  /** The activation between that and it. */
  readonly activation: string | null;
  /** Active places whose output reaches it with neither layer nor residual sum between. */
  readonly doubles: readonly string[];
  /** Paths of the batch norms that its output reaches first. */
  readonly batchNorms: readonly string[];
  /** Where its output goes without another layer; null where layers follow. */
  readonly ends: 'softmax' | 'output' | null;
  /** Sites of stochastic depth in whose branches it stands, outermost first. */
  readonly within: readonly string[];
}

/** An operator that draws without a key: no seed of ours repeats it, and Monte-Carlo passes cannot choose it. */
export interface HiddenDraw {
  /** `aten::dropout` */
  readonly operator: string;
  readonly overload: string;
  /** Its rate, where the operator has one. */
  readonly rate: number | null;
  /** Path of the module whose `forward` calls it, `''` for the model itself. */
  readonly module: string;
  /** Its place among all random places in the order of the data flow, from 0. */
  readonly position: number;
  /** How often in one forward pass. */
  readonly calls: number;
  /** In which passes it draws; with `evaluation` among them the model's predictions are random. */
  readonly modes: readonly PassMode[];
}

/** How far dropout moves the variance that a batch norm sees. */
export interface VarianceShift {
  /** Path of the batch norm. */
  readonly path: string;
  /**
   * Its running variance, learnt with dropout, over the variance of what it is given in evaluation: the geometric mean over
   * channels. Null where it was not measured, or has not been trained.
   */
  readonly ratio: number | null;
  /** Values of each channel that the measured variance is of. */
  readonly values: number;
}

/** All that is random in a model: frozen plain data. */
export interface Inventory {
  /** In the order of the data flow; those that were not reached last. */
  readonly sites: readonly StochasticSite[];
  /** Without an example none is found. */
  readonly hidden: readonly HiddenDraw[];
  /** The batch norms that come after active sites. */
  readonly shifts: readonly VarianceShift[];
}

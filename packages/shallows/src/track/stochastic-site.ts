import { z } from 'zod';
import { number } from './lossless-json.js';

/** A place in a model where training is random, as the record keeps it. */
export interface StochasticSite {
  /** Where in the model: `blocks.3.mlp.drop`. */
  readonly path: string;
  /** What it is: `dropout`, `stochastic-depth`, … */
  readonly kind: string;
  /** The rate in [0, 1] with which something is dropped; null where it has none. */
  readonly rate: number | null;
  /** What one draw decides: `element`, `channel`, `block`, `row`, … */
  readonly granularity: string;
  /** How evaluation and training are made to agree: `inverted`, `classic`, `none`, … */
  readonly scaling: string;
}

/** Schema of `StochasticSite`. */
export const stochasticSite: z.ZodType<StochasticSite> = z.object({
  path: z.string(),
  kind: z.string(),
  rate: number.nullable(),
  granularity: z.string(),
  scaling: z.string(),
});

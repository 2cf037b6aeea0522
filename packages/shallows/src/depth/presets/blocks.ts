import type { Policy, PolicyOptions } from '../policy/policy.js';
import type { TimeSchedule } from '../policy/time-schedule.js';
import { presetPolicy, requireWord } from './preset-policy.js';

/**
 * Huang et al. 2016, as their Lua code (yueatsprograms/Stochastic_Depth) runs it: whole blocks, rate p · l / L with p = 0.5,
 * branches scaled by the keep probability in evaluation; a dropped block gets gradient 0, so momentum and decay still move it.
 *
 * Differs: a dropped branch of theirs still had buffers to clear; here it costs nothing. `schedule: 'uniform'` is the other
 * rule of the paper.
 */
export function huang2016(options: PolicyOptions = {}): Policy {
  return presetPolicy({ drop: 0.5, schedule: 'linear', scale: 'paper', optimizer: 'zero' }, options);
}

/** Options of `presets.composer`. */
export interface ComposerOptions extends PolicyOptions {
  /** `block` gates whole blocks, `sample` masks rows. */
  readonly method?: 'block' | 'sample' | undefined;
  /** The time over which rates rise from 0; any unit, for both methods. */
  readonly dropWarmup?: string | undefined;
}

/**
 * MosaicML Composer 0.32's `StochasticDepth`: rate p · l / L with p = 0.2, branches scaled by the keep probability in
 * evaluation, each rank with draws of its own. Method `block` skips the block; `sample` computes it and masks rows.
 *
 * Differs: warm-up arrives at p (there it stops one update short of it, or never starts where the run is counted in epochs),
 * takes every unit and both methods; layers count in forward order, not in the order in which they were registered; masks are
 * right in bfloat16; it works on every model with sites, and is an error where it reaches none.
 */
export function composer({ method = 'block', dropWarmup, ...options }: ComposerOptions = {}): Policy {
  requireWord('method', method, ['block', 'sample']);
  const time: TimeSchedule = dropWarmup === undefined ? { kind: 'constant' } : { kind: 'warmup', length: dropWarmup };
  const common = { drop: 0.2, schedule: 'linear', scale: 'paper', ranks: 'independent', time } as const;
  if (method === 'block') return presetPolicy({ ...common, unit: 'block', execution: 'gate' }, options);
  return presetPolicy({ ...common, unit: 'row', rows: 'independent', execution: 'mask', optimizer: 'zero' }, options);
}

/** Options of `presets.pld`. */
export interface PldOptions extends PolicyOptions {
  /** θ̄, the keep probability of the last layer in the end. */
  readonly theta?: number | undefined;
  /** γ, how fast it gets there: a rate a batch. */
  readonly gamma?: number | undefined;
}

/**
 * Progressive layer dropping, DeepSpeed 0.16: keep probability 1 − (l / L)(1 − θ(t)) with θ(t) = (1 − θ̄) e^(−γt) + θ̄, that
 * is a drop rate of up to 1 − θ̄ = 0.5, approached at γ = 0.001 a batch; whole blocks, kept branches scaled by 1/keep, the same
 * on all ranks.
 *
 * Differs: DeepSpeed hands θ(t) out and drops nothing itself; its BERT example draws layer l at the rate of layer l − 1 but
 * scales it by its own, and drops attention and feed-forward together, where here each site decides (this is the paper's
 * rule for both).
 *
 * @see Zhang and He, "Accelerating training of Transformer-based language models with progressive layer dropping", 2020
 */
export function pld({ theta = 0.5, gamma = 0.001, ...options }: PldOptions = {}): Policy {
  const fields: PolicyOptions = { drop: 1 - theta, schedule: 'linear', time: { kind: 'exponential', gamma } };
  return presetPolicy({ ...fields, scale: 'inverted', unit: 'block', execution: 'gate', ranks: 'shared' }, options);
}

/** Options of `presets.nemo`. */
export interface NemoOptions extends PolicyOptions {
  /** How many first layers are never dropped; at least 1 there. */
  readonly startLayer?: number | undefined;
}

/**
 * NVIDIA NeMo 3.0's Conformer encoder: the first `startLayer` layers are never dropped, and over the other L' the rate is
 * p · l / L' (`schedule: 'uniform'`: p); the layer is computed either way, then left out or scaled by 1/keep.
 *
 * Differs: a rate for a model of `startLayer` layers is an error (there, nothing is dropped); p may be 1. Set
 * `execution: 'gate'` to save the work of what is dropped.
 */
export function nemo({ startLayer = 1, ...options }: NemoOptions = {}): Policy {
  const fields: PolicyOptions = { drop: 0, schedule: 'linear', protect: { first: startLayer }, scale: 'inverted' };
  const run: PolicyOptions = { unit: 'block', execution: 'mask', ranks: 'independent', optimizer: 'zero' };
  return presetPolicy({ ...fields, ...run }, options);
}

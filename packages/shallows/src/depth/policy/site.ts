import type { Tensor } from '@shallows/torch';
import type { Pass } from '../../nn/pass.js';
import type { Policy } from './policy.js';

/** Options of a {@link Site}. */
export interface SiteOptions {
  /**
   * Another site of the same block, such as the attention beside an MLP: the two count as one layer in the schedules over
   * depth, and so have one rate.
   */
  readonly beside?: Site;
  /**
   * `false` for a block that has no shortcut to fall back on, as it changes shape: it counts as a layer in the schedules
   * over depth but is never dropped, rated or reported.
   */
  readonly droppable?: boolean;
}

/**
 * The place of one residual branch in a model: what a policy rates, a plan decides about and a report counts.
 *
 * Its owner creates it; `applyPolicy` names and rates it. A model whose sites were never bound is the plain network.
 */
export class Site {
  /** What the branch is, for people and for rates by kind: `basic`, `attention`, `mlp`. */
  readonly kind: string;
  /** Which layer it belongs to: equal objects, equal layers. */
  readonly layer: object;
  readonly droppable: boolean;
  /** Unique in its model, `''` until `findSites` names it. */
  name = '';
  /** The drop rate that a policy asks for, in [0, 1]; 0 without a policy. */
  drop = 0;
  /** Factor on the branch in evaluation: 1, or the keep probability under `paper` scaling. */
  evaluationScale = 1;
  /** What one decision covers, and how kept branches count, as the policy has it that was applied last; null without one. */
  applied: { readonly unit: Policy['unit']; readonly scale: Policy['scale'] } | null = null;

  constructor(kind: string, { beside, droppable = true }: SiteOptions = {}) {
    this.kind = kind;
    this.layer = beside?.layer ?? this;
    this.droppable = droppable;
  }
}

/**
 * A residual unit `y = activation(shortcut(x) + branch(x))`: a module that is one, or a plain object that a module holds.
 *
 * All three are called by `residual` alone, which decides whether, and on which rows, the branch runs.
 */
export interface ResidualBlock {
  readonly site: Site;
  /**
   * The part that may be dropped. Where rows are dropped it is given the kept rows alone.
   *
   * @param extras what the caller of `residual` gave along, such as attention masks: of the same rows as `x`
   */
  branch(x: Tensor, pass: Pass, extras: readonly (Tensor | null)[]): Tensor;
  /** The part that always runs: `x` itself, or a projection to the branch's shape; a new tensor, no view of `x`. */
  shortcut(x: Tensor, pass: Pass): Tensor;
  /**
   * What follows the sum: `relu`, which is then formed in one pass with it where rows are dropped, or a function, which may
   * write in place. Where the branch is dropped and the shortcut is `x` itself there is none: the block then returns its
   * input, which came out of the activation of the block before. A function is called with a sum in which only some rows
   * were dropped, and should leave those as they are.
   */
  readonly activation?: 'relu' | ((sum: Tensor) => Tensor);
}

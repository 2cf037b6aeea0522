import type { Tensor } from '@shallows/torch';
import type { Pass } from '../nn/pass.js';

/**
 * The place of one residual branch in a model: what a policy rates, a plan decides about and a report counts.
 *
 * Its owner creates it; `applyPolicy` names and rates it. A model whose sites were never bound is the plain network.
 */
export class Site {
  /** What the branch is, for people: `basic`, `attention`, `mlp`. */
  readonly kind: string;
  /** Unique in its model, `''` until `findSites` names it. */
  name = '';
  /** The drop rate that a policy asks for, in [0, 1]; 0 without a policy. */
  drop = 0;
  /** Factor on the branch in evaluation: 1, or the keep probability under `paper` scaling. */
  evaluationScale = 1;

  constructor(kind: string) {
    this.kind = kind;
  }
}

/**
 * A residual unit `y = merge(shortcut(x), branch(x))`: a module that is one, or a plain object that a module holds.
 *
 * All three are called by `residual` alone, which decides whether the branch runs.
 */
export interface ResidualBlock {
  readonly site: Site;
  /** The part that may be dropped. */
  branch(x: Tensor, pass: Pass): Tensor;
  /** The part that always runs: the identity, or a projection to the branch's shape. */
  shortcut(x: Tensor, pass: Pass): Tensor;
  /**
   * Joins the two, `addBranch` where absent. `branch` is `null` where it was dropped; else it counts `scale` times,
   * best folded into the add: `shortcut.add(branch, { alpha: scale })`. With `branch` null the shortcut may be the
   * block's own input, which must not be changed in place.
   */
  merge?(shortcut: Tensor, branch: Tensor | null, scale: number): Tensor;
}

/**
 * The default merge: `shortcut + scale · branch` in one native call, or the shortcut itself where the branch was dropped.
 */
export function addBranch(shortcut: Tensor, branch: Tensor | null, scale: number): Tensor {
  if (branch === null) return shortcut;
  // A scale of 1 leaves no trace, so a network that drops nothing is the plain network operator by operator.
  return scale === 1 ? shortcut.add(branch) : shortcut.add(branch, { alpha: scale });
}

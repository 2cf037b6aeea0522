import type { Tensor } from '@shallows/torch';
import { type Pass, passSlot } from '../../nn/pass.js';
import type { ResidualBlock } from '../policy/site.js';

/** Runs a block's branch in a way of its own, on what `block.branch` would be given. */
export type BranchRunner = (block: ResidualBlock, x: Tensor, pass: Pass, extras: readonly (Tensor | null)[]) => Tensor;

/** @internal Who runs the branches of a pass; without one they simply run. */
export const branchSlot = passSlot<BranchRunner>('branch runner');

/** @internal The branch of a block, run as the pass wants it: the one place where `residual` calls it. */
export function runBranch(block: ResidualBlock, x: Tensor, pass: Pass, extras: readonly (Tensor | null)[]): Tensor {
  const runner = pass.get(branchSlot);
  return runner === undefined ? block.branch(x, pass, extras) : runner(block, x, pass, extras);
}

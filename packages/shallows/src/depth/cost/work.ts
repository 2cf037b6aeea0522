import { flops, noGrad, scope, type Tensor, trace } from '@shallows/torch';
import { evaluation, type Pass, passSlot } from '../../nn/pass.js';

/** How much arithmetic a forward pass takes, and how much of it each branch. */
export interface Work {
  /** FLOPs of the whole forward pass with every branch running. */
  readonly totalFlops: number;
  /** FLOPs of each site's branch, by site name. */
  readonly branchFlops: Readonly<Record<string, number>>;
}

/** @internal Runs every branch in the place of `residual`'s own call. */
export const meterSlot = passSlot<(name: string, branch: () => Tensor) => Tensor>('branch meter');

/**
 * Measures the work of a model's forward pass, by one traced evaluation: `measureWork((pass) => model.forward(x, pass))`.
 *
 * Every branch runs, and nothing is learnt or counted in the model. FLOPs are those of convolutions and matrix products,
 * two for a multiply-add; a site that runs several times has the sum.
 */
export function measureWork(forward: (pass: Pass) => unknown): Work {
  const branchFlops = new Map<string, number>();
  const pass = evaluation.with(meterSlot, (name, branch) => {
    const { result, calls } = trace(branch);
    branchFlops.set(name, (branchFlops.get(name) ?? 0) + flops(calls));
    return result;
  });
  const totalFlops = noGrad(() => scope(() => flops(trace(() => forward(pass)).calls)));
  return { totalFlops, branchFlops: Object.fromEntries(branchFlops) };
}

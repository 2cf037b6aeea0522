import { checkpoint, type Tensor } from '@shallows/torch';
import type { Pass } from '../../nn/pass.js';
import { repeatable } from '../../nn/recomputing.js';
import type { BranchParameters, ParameterTree } from './gradless.js';
import { type BranchRunner, branchSlot } from './run-branch.js';

/**
 * Activation checkpointing of residual branches: passes that it has been given keep of each branch that runs in training
 * nothing but its input, and compute the branch again for its gradients. Less memory for one more forward pass of what ran.
 *
 * The second time follows the same decisions and draws, as they belong to the pass, and counts nothing twice: neither batch
 * statistics nor what ran. Gradients are those without it, bit for bit. A branch inside of a branch is computed again with it.
 *
 * @param branches from {@link branchParameters}, for this model
 * @returns a pass like the given one whose branches are computed again
 * @see Chen et al., "Training deep nets with sublinear memory cost", 2016
 */
export function recompute(model: ParameterTree, { branches }: BranchParameters): (pass: Pass) => Pass {
  const byKey = new Map(model.namedParameters());
  const bySite = new Map<string, Set<Tensor>>();
  for (const { site, within, parameters } of branches) {
    for (const name of [site, ...within]) {
      const theirs = bySite.get(name) ?? new Set();
      for (const key of parameters) {
        const parameter = byKey.get(key);
        if (parameter !== undefined) theirs.add(parameter);
      }
      bySite.set(name, theirs);
    }
  }
  const runner: BranchRunner = (block, x, pass, extras) => {
    if (!pass.training) return block.branch(x, pass, extras);
    const inner = repeatable(pass.with(branchSlot, plainly));
    const present = extras.map((each) => each !== null);
    return checkpoint(
      ([input, ...rest], again) => {
        let next = 0;
        const theirs = present.map((is) => (is ? (rest[next++] ?? null) : null));
        // What was given below comes back, in its order.
        return block.branch(input as Tensor, again ? inner.again() : inner.first, theirs);
      },
      [x, ...extras.filter((each) => each !== null)],
      [...(bySite.get(block.site.name) ?? [])],
    );
  };
  return (pass) => pass.with(branchSlot, runner);
}

const plainly: BranchRunner = (block, x, pass, extras) => block.branch(x, pass, extras);

import { Operator } from '@shallows/torch';
import { type AdamOptions, type AdamParamGroup, adamRules, moveByAdam } from './adam-rules.js';
import { GroupedOptimizer } from './grouped-optimizer.js';
import type { Moved } from './moved.js';
import type { Optimized } from './param-groups.js';

const fusedAdam_ = new Operator('aten::_fused_adam_');
const rules = adamRules('Adam', 0, false);

/**
 * Adam (Kingma and Ba 2015), as `torch.optim.Adam(fused=True)` bit for bit:
 * g ← g + λ·w; m ← β₁·m + (1 − β₁)·g; v ← β₂·v + (1 − β₂)·g²; w ← w − lr · m / (1 − β₁ᵗ) / (√(v / (1 − β₂ᵗ)) + ε).
 *
 * t counts the steps of each parameter of its own: one without gradient is left alone. `amsgrad` takes the largest v so
 * far. The penalty λ passes through the averages; {@link AdamW} decays the weights themselves. Defaults: betas
 * [0.9, 0.999], eps 1e-8, no weight decay. State: `step`, `exp_avg`, `exp_avg_sq`, with amsgrad `max_exp_avg_sq`.
 */
export class Adam extends GroupedOptimizer<AdamOptions, AdamParamGroup> {
  readonly name = 'adam';

  /**
   * @param params `model.parameters()`, or groups of parameters with settings of their own
   * @throws ShallowsError for no parameters, one given twice, one that cannot be learnt, or settings that are unknown
   *   or out of range
   */
  constructor(params: Optimized<AdamOptions>, options: AdamOptions) {
    super(rules, params, options);
  }

  protected override move(groups: readonly (readonly Moved[])[]): void {
    for (const [i, group] of this.groups.entries()) moveByAdam(fusedAdam_, group, groups[i] ?? []);
  }
}

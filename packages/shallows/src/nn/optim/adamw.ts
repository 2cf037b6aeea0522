import { Operator } from '@shallows/torch';
import { type AdamOptions, type AdamParamGroup, adamRules, moveByAdam } from './adam-rules.js';
import { GroupedOptimizer } from './grouped-optimizer.js';
import type { Moved } from './moved.js';
import type { Optimized } from './param-groups.js';

const fusedAdamw_ = new Operator('aten::_fused_adamw_');
const rules = adamRules('AdamW', 0.01, true);

/**
 * Adam with decoupled weight decay (Loshchilov and Hutter 2019), as `torch.optim.AdamW(fused=True)` bit for bit: w ← w − lr·λ·w,
 * then the step of `Adam` without λ. The default of `weightDecay` is PyTorch's 0.01.
 */
export class AdamW extends GroupedOptimizer<AdamOptions, AdamParamGroup> {
  readonly name = 'adamw';

  /**
   * @param params `model.parameters()`, or groups of parameters with settings of their own
   * @throws ShallowsError for no parameters, one given twice, one that cannot be learnt, or settings that are unknown
   *   or out of range
   */
  constructor(params: Optimized<AdamOptions>, options: AdamOptions) {
    super(rules, params, options);
  }

  protected override move(groups: readonly (readonly Moved[])[]): void {
    for (const [i, group] of this.groups.entries()) moveByAdam(fusedAdamw_, group, groups[i] ?? []);
  }
}

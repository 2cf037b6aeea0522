import { full, type Operator } from '@shallows/torch';
import type { Settings } from '../settings.js';
import { fused, type Moved } from './moved.js';
import type { ParamGroup } from './optimizer.js';
import type { GroupOptions, GroupRules } from './param-groups.js';
import type { StateRules } from './state-layout.js';

/** Settings of one group of parameters of {@link Adam} and {@link AdamW}. */
export interface AdamOptions extends GroupOptions {
  /** β₁ and β₂, the shares of both averages that are kept, each in [0, 1). */
  readonly betas?: readonly [gradient: number, square: number];
  /** ε, from 0. */
  readonly eps?: number;
  /** Divide by the largest mean square so far instead of the last (Reddi et al. 2018). */
  readonly amsgrad?: boolean;
}

/** A group of {@link Adam} or {@link AdamW} with all its settings. */
export interface AdamParamGroup extends ParamGroup {
  readonly betas: readonly [gradient: number, square: number];
  readonly eps: number;
  readonly amsgrad: boolean;
}

/** @internal */
export function adamRules(
  fn: string,
  weightDecay: number,
  decoupled: boolean,
): GroupRules<AdamParamGroup> & StateRules<AdamParamGroup> {
  return {
    fn,
    defaults: { betas: [0.9, 0.999], eps: 1e-8, amsgrad: false, weightDecay },
    check(settings, { betas, eps, amsgrad }) {
      checkBetas(settings, betas)
        .number('eps', eps, 'from 0', (value) => value >= 0)
        .flag('amsgrad', amsgrad);
    },
    tensors: adamTensors,
    counts: true,
    fixed: { maximize: false, decoupled_weight_decay: decoupled },
  };
}

/** @internal */
export function checkBetas(settings: Settings, betas: readonly number[]): Settings {
  const pair = Array.isArray(betas) && betas.length === 2;
  const good = pair && betas.every((each) => typeof each === 'number' && each >= 0 && each < 1);
  return settings.expect(good, 'betas', 'two numbers from 0 to below 1', betas);
}

/** @internal Moves the parameters of one group by `_fused_adam_` or `_fused_adamw_`. */
export function moveByAdam(operator: Operator, group: AdamParamGroup, moved: readonly Moved[]): void {
  const { lr, betas, eps, weightDecay, amsgrad } = group;
  fused(moved, adamTensors(group), ({ params, grads, states, moved: each }) => {
    const [exp_avgs = [], exp_avg_sqs = [], max_exp_avg_sqs = []] = states;
    const steps = stepsOf(each);
    operator.call([params, grads, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps], {
      lr,
      beta1: betas[0],
      beta2: betas[1],
      weightDecay,
      eps,
      amsgrad,
      maximize: false,
    });
    for (const { state } of each) state.steps++;
  });
}

function adamTensors({ amsgrad }: { readonly amsgrad: boolean }): readonly string[] {
  return amsgrad ? ['exp_avg', 'exp_avg_sq', 'max_exp_avg_sq'] : ['exp_avg', 'exp_avg_sq'];
}

/** The number of this step for each parameter, one tensor a number. */
function stepsOf(moved: readonly Moved[]): unknown[] {
  const device = moved[0]?.parameter.device ?? 'cpu';
  const tensors = new Map<number, unknown>();
  return moved.map(({ state: { steps } }) => {
    let tensor = tensors.get(steps);
    if (tensor === undefined) {
      tensor = full([], steps + 1, { device });
      tensors.set(steps, tensor);
    }
    return tensor;
  });
}

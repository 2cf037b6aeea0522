import { type Advice, advise, type Policy, type RatedSite } from '../depth/index.js';
import { advisePlacement, inventory, stochasticityOf } from '../dropout/index.js';
import { BatchNorm2d, type Module } from '../nn/index.js';
import { parseTime } from '../time/index.js';
import { type ModelInput, zeroRows } from './model-input.js';
import type { Recipe } from './schema.js';

const branches = ['depth', 'drop-path', 'stochastic-depth', 'layer-drop'];

/** Whether a random place of this kind leaves out branches, and not units. */
export const isBranch = (kind: string): boolean => branches.includes(kind);

/**
 * What experience says about where the model of a recipe drops, warnings first. The model runs on a row of zeros, as often as
 * there are modes of a pass, and only where it has an active dropout.
 *
 * @param ranks processes that share a batch
 */
export function adviseDropouts(
  { train: { batchSize, microbatches } }: Recipe,
  model: Module,
  input: ModelInput,
  ranks = 1,
): readonly Advice[] {
  if (!stochasticityOf(model).some(({ kind, rate }) => rate > 0 && !isBranch(kind))) return [];
  using row = zeroRows(input);
  const found = inventory(model, row, { measure: false });
  return advisePlacement(found, { batchSize: Math.ceil(batchSize / microbatches / ranks) });
}

/** Several lists of advice as one: warnings first. */
export function allAdvice(...lists: readonly (readonly Advice[])[]): readonly Advice[] {
  const rank = ({ severity }: Advice): number => (severity === 'warning' ? 0 : 1);
  return lists.flat().toSorted((a, b) => rank(a) - rank(b));
}

/**
 * What experience says about the policy of a recipe on its model, warnings first.
 *
 * @param projected names of the sites whose shortcut has weights, where they are known
 */
export function adviseRecipe(
  { model: { kind }, train }: Recipe,
  model: Module,
  policy: Policy,
  sites: readonly RatedSite[],
  projected: readonly string[] = [],
): readonly Advice[] {
  const duration = parseTime(train.duration);
  return advise({
    sites,
    policy,
    parameters: model.parameterCount,
    family: kind,
    epochs: duration.unit === 'ep' ? duration.value : null,
    // What one pass sees is what rows are counted in, and what batch statistics are of.
    batchSize: Math.ceil(train.batchSize / train.microbatches),
    batchNorm: [...model.namedModules()].some(([, module]) => module instanceof BatchNorm2d),
    projected,
  });
}

import { shown } from '../../errors.js';
import { BatchNorm2d } from '../batch-norm.js';
import { LayerNorm } from '../layer-norm.js';
import { LayerScale } from '../layer-scale.js';
import type { AnyModule } from '../module.js';
import type { Parameter } from '../parameter.js';
import { Settings } from '../settings.js';

/** Options of {@link weightDecayGroups}. */
export interface WeightDecayGroupsOptions {
  /** λ of all that is not exempt, from 0. */
  readonly weightDecay: number;
  /** What does not decay: norms and biases, or what a function says of a key and its parameter. */
  readonly exempt?: 'norms-and-biases' | ((key: string, parameter: Parameter) => boolean);
  /**
   * Whether positional embeddings, relative position tables, class and register tokens are exempt as well, by their keys
   * (`pos_embed`, `relative_position_bias_table`, `cls_token`, …); a function as `exempt` decides alone.
   */
  readonly positions?: boolean;
}

/** Parameters with a weight decay of their own: a group of an optimizer. */
export interface WeightDecayGroup {
  readonly params: readonly Parameter[];
  readonly weightDecay: number;
}

/**
 * The parameters of a model in one group that decays and one that does not: `new AdamW(weightDecayGroups(model, {
 * weightDecay: 0.05 }), { lr })`.
 *
 * Norms and biases are parameters of at most one dimension, those whose key ends in `bias`, and those of normalisation and
 * layer-scale: their size is no matter of complexity, and decay moves a function that the next layer can undo. Frozen
 * parameters are in neither group; a group without parameters is left out.
 *
 * @throws ShallowsError for a weight decay that is no number from 0, or another `exempt`
 * @see Goyal et al., "Accurate, large minibatch SGD", 2017; timm's `param_groups_weight_decay`, and the
 *   `no_weight_decay` of its vision transformers for positions
 */
export function weightDecayGroups(
  model: Pick<AnyModule, 'namedModules' | 'namedParameters'>,
  options: WeightDecayGroupsOptions,
): readonly WeightDecayGroup[] {
  const { weightDecay, exempt = 'norms-and-biases', positions = true } = options;
  new Settings('weightDecayGroups')
    .number('weightDecay', weightDecay, 'from 0', (value) => value >= 0)
    .flag('positions', positions)
    .expect(
      typeof exempt === 'function' || exempt === 'norms-and-biases',
      'exempt',
      "'norms-and-biases' or a function of key and parameter",
      typeof exempt === 'string' ? exempt : shown(exempt),
    )
    .check('write weightDecayGroups(model, { weightDecay: 0.05 })');
  const norms = new Set<Parameter>();
  for (const [, module] of model.namedModules()) {
    if (!isNorm(module)) continue;
    for (const each of module.parameters()) norms.add(each);
  }
  const isExempt =
    typeof exempt === 'function'
      ? exempt
      : (key: string, parameter: Parameter): boolean =>
          norms.has(parameter) || isVectorOrBias(key, parameter) || (positions && position.test(key));
  const decaying: Parameter[] = [];
  const others: Parameter[] = [];
  for (const [key, parameter] of model.namedParameters()) {
    if (parameter.requiresGrad) (isExempt(key, parameter) ? others : decaying).push(parameter);
  }
  return [
    { params: decaying, weightDecay },
    { params: others, weightDecay: 0 },
  ].filter(({ params }) => params.length > 0);
}

const isNorm = (module: AnyModule): boolean =>
  module instanceof BatchNorm2d || module instanceof LayerNorm || module instanceof LayerScale;

const position = new RegExp(
  `(^|[._])(${[
    '(pos|position|positional)_?(embed|embedding|embeddings)(\\.weight)?',
    '(positions|wpe)\\.weight',
    '(cls|class|dist|reg|register)_tokens?',
    'relative_position_bias_table',
  ].join('|')})$`,
);

function isVectorOrBias(key: string, parameter: Parameter): boolean {
  return parameter.ndim <= 1 || /(^|\.)(bias|layer_scale)$/.test(key);
}

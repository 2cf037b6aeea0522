import { clipGradAdaptive, clipGradNorm, clipGradValue, gradNorm, type Parameter } from '../../nn/index.js';
import { Settings } from '../../nn/settings.js';
import type { Algorithm, Training } from '../algorithm.js';

/** Options of {@link gradientClipping}: exactly one of `norm`, `value` and `adaptive`. */
export interface GradientClippingOptions {
  /** The norm of all gradients together to which a larger one is scaled, above 0. */
  readonly norm?: number;
  /** The largest size of an element, above 0. */
  readonly value?: number;
  /** λ, the largest norm of a unit's gradient as a share of its weights', above 0. */
  readonly adaptive?: number;
  /** With `adaptive`: the norm that weights near 0 count as. */
  readonly eps?: number;
  /** With `adaptive`: the parameters, by their keys, that are not clipped. The paper leaves out the last linear layer. */
  readonly exempt?: (key: string) => boolean;
}

/**
 * Clips gradients between the backward pass and the optimizer, when those of all microbatches and ranks are there.
 *
 * `norm`: g ← g · min(1, norm / ‖g‖) over all parameters (Pascanu et al. 2013). `value`: each element to [−value, value].
 * `adaptive`: each unit's gradient to λ times the norm of its weights (AGC, Brock et al. 2021; 0.01 in the paper). The norm before
 * clipping is told to the run.
 *
 * @throws ShallowsError for none or several of the three, or a size not above 0
 */
export function gradientClipping(options: GradientClippingOptions): Algorithm {
  const { norm, value, adaptive, eps = 1e-3, exempt } = options;
  const given = Object.entries({ norm, value, adaptive }).flatMap(([name, size]): [string, number][] =>
    size === undefined ? [] : [[name, size]],
  );
  const settings = new Settings('gradientClipping')
    .expect(given.length === 1, 'options', 'one of norm, value and adaptive', given.map(([name]) => name).join(' and '))
    .number('eps', eps, 'above 0', (each) => each > 0)
    .expect(exempt === undefined || typeof exempt === 'function', 'exempt', 'a function of a key', exempt);
  for (const [name, size] of given) settings.number(name, size, 'above 0', (each) => each > 0);
  settings.check('write gradientClipping({ norm: 1 })');
  let parameters: readonly Parameter[] = [];
  let clipped: readonly Parameter[] = [];
  return {
    name: 'gradient-clipping',
    options: Object.fromEntries(given),
    onFitStart({ model, optimizer }) {
      parameters = optimizer.groups.flatMap((group) => group.params);
      const left = new Set<Parameter>();
      for (const [key, parameter] of model.namedParameters()) if (exempt?.(key) === true) left.add(parameter);
      clipped = parameters.filter((each) => !left.has(each));
    },
    onOptimizerStepStart(training: Training) {
      if (norm !== undefined) {
        const before = clipGradNorm(parameters, { maxNorm: norm });
        training.gradNorm ??= before;
        return;
      }
      training.gradNorm ??= gradNorm(parameters);
      if (value !== undefined) clipGradValue(parameters, { clipValue: value });
      if (adaptive !== undefined) clipGradAdaptive(clipped, { clipFactor: adaptive, eps });
    },
    onFitEnd() {
      parameters = [];
      clipped = [];
    },
  };
}

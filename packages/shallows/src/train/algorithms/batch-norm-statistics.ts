import { noGrad, Operator, scope, type Tensor, zeros } from '@shallows/torch';
import type { BatchSource } from '../../data/index.js';
import { type AnyModule, BatchNorm2d, type Module, trainingPass } from '../../nn/index.js';
import { deviceOf, placed } from '../placement.js';

const zeroAll_ = new Operator('aten::_foreach_zero_');
const addAll_ = new Operator('aten::_foreach_add_', 'List');
const divAll = new Operator('aten::_foreach_div', 'Scalar');
const copyAll_ = new Operator('aten::_foreach_copy_');

/** The batch norms of a model whose running statistics follow its batches. */
export function batchNormsOf(model: Pick<AnyModule, 'namedModules'>): readonly BatchNorm2d[] {
  const found: BatchNorm2d[] = [];
  for (const [, module] of model.namedModules()) {
    if (module instanceof BatchNorm2d && module.momentum > 0) found.push(module);
  }
  return found;
}

/**
 * Takes the running statistics of all batch norms anew, as the mean over those of some batches: for weights that no batch was
 * run with, such as averages. All else evaluates: nothing drops and nothing is learnt. PyTorch's `update_bn`.
 *
 * @param source batches of training data
 * @param batches how many of them to look at, the first ones; those of one row are left out
 * @see Izmailov et al., "Averaging weights leads to wider optima and better generalization", UAI 2018
 */
export async function estimateBatchNorm(model: Module, source: BatchSource, batches = source.length): Promise<void> {
  const watched = batchNormsOf(model).map((norm) => new Watched(norm));
  if (watched.length === 0) return;
  const device = deviceOf(model);
  try {
    for (let i = 0; i < Math.min(batches, source.length); i++) {
      await source.prepare?.(i);
      noGrad(() =>
        scope(() => {
          const { inputs, size } = source.at(i);
          if (size > 1) model.forward(placed(inputs, { device, channelsLast: false }));
        }),
      );
    }
    for (const each of watched) each.take();
  } finally {
    for (const each of watched) each.end();
  }
}

/** A batch norm that takes the statistics of every batch while the rest of the model evaluates. */
class Watched {
  readonly #norm: BatchNorm2d;
  readonly #before: PropertyDescriptor | undefined;
  readonly #sums: readonly Tensor[];
  #calls = 0;

  constructor(norm: BatchNorm2d) {
    this.#norm = norm;
    this.#before = Object.getOwnPropertyDescriptor(norm, 'forward');
    const { runningMean, runningVar, numBatchesTracked, momentum } = norm;
    const running = [runningMean, runningVar];
    this.#sums = running.map(({ shape, device, dtype }) => zeros(shape, { device, dtype }));
    const forward = norm.forward;
    const value = (x: Tensor): Tensor => {
      // From 0 a batch moves a running statistic to momentum times its own.
      zeroAll_.call([running]);
      const y = forward.call(norm, x, trainingPass());
      addAll_.call([this.#sums, running], { alpha: 1 / momentum });
      this.#calls++;
      return y;
    };
    noGrad(() => zeroAll_.call([[numBatchesTracked]]));
    Object.defineProperty(norm, 'forward', { value, configurable: true, writable: true });
  }

  /** Puts the means into the running statistics. */
  take(): void {
    if (this.#calls === 0) return;
    const { runningMean, runningVar } = this.#norm;
    noGrad(() =>
      scope(() => copyAll_.call([[runningMean, runningVar], divAll.call([this.#sums, this.#calls]) as Tensor[]])),
    );
  }

  end(): void {
    if (this.#before === undefined) Reflect.deleteProperty(this.#norm, 'forward');
    else Object.defineProperty(this.#norm, 'forward', this.#before);
    for (const each of this.#sums) each.dispose();
  }
}

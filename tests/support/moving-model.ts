import { fromTypedArray, noGrad, ops, scope, type Tensor, tensor } from '@shallows/torch';
import { Buffer, Module, Parameter } from '../../packages/shallows/src/nn/index.js';

/** `values` of nn/fixtures/layers.py: numbers in [−1, 1) with three decimals. */
export function values(shape: readonly number[], salt: number): Tensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const numbers = Float64Array.from({ length: count }, (_, i) => ((i * 7919 + salt * 104729) % 1999) / 1000 - 1);
  return fromTypedArray(numbers, shape);
}

/** The model of algorithms/fixtures/averages.py: its weights are a function of the step. */
export class MovingModel extends Module {
  readonly weight = scope(() => new Parameter(values([3], 0)));
  readonly running = scope(() => new Buffer(values([2], 100)));
  readonly count = scope(() => new Buffer(tensor(0n)));

  goTo(step: number): void {
    noGrad(() =>
      scope(() => {
        ops.aten.copy_(this.weight, values([3], step));
        ops.aten.copy_(this.running, values([2], 100 + step));
        ops.aten.fill_(this.count, step);
      }),
    );
  }

  override forward(x: Tensor): Tensor {
    return x.mul(this.weight);
  }
}

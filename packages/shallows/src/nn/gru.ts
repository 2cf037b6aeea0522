import { Operator, type Tensor } from '@shallows/torch';
import { Recurrent, type RecurrentOptions, type Run } from './recurrent.js';

const gru = new Operator('aten::gru', 'input');
const linear = new Operator('shallows::linear');
const chunk = new Operator('aten::chunk');
const add = new Operator('aten::add', 'Tensor');
const sigmoid = new Operator('aten::sigmoid');
const tanh = new Operator('aten::tanh');
const addcmul = new Operator('aten::addcmul');
const lerp = new Operator('aten::lerp', 'Tensor');
const unbind = new Operator('aten::unbind', 'int');
const stack = new Operator('aten::stack');

/**
 * PyTorch's gated recurrent unit (Cho et al. 2014), with r, z, n = W_ih·x + b_ih beside r', z', n' = W_hh·h + b_hh:
 * h ← (1 − σ(z + z'))·tanh(n + σ(r + r')·n') + σ(z + z')·h.
 *
 * Keys are `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, for the other direction with `_reverse`. Steps are one
 * fused operator as long as no state is dropped; where one is, the gates see the dropped state and the last term the whole.
 */
export class GRU extends Recurrent<Tensor> {
  /**
   * Starts as PyTorch's does: all from U(−1/√hiddenSize, 1/√hiddenSize), a function of the key.
   *
   * @throws ShallowsError for sizes that are no whole numbers from 1, or without a key
   */
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions) {
    super('GRU', { gates: 3, states: 1 }, inputSize, hiddenSize, options);
  }

  protected override pack([h]: readonly Tensor[]): Tensor {
    return h as Tensor;
  }

  protected override unpack(h: Tensor): readonly Tensor[] {
    return [h];
  }

  protected override fused(
    x: Tensor,
    [h]: readonly Tensor[],
    weights: readonly Tensor[],
    { layers, bidirectional, train, batchFirst }: Parameters<Recurrent<Tensor>['fused']>[3],
  ): Run {
    const biased = weights.length === 4 * layers * (bidirectional ? 2 : 1);
    const [output, last] = gru.call([x, h, weights, biased, layers, 0, train, bidirectional, batchFirst]) as [
      Tensor,
      Tensor,
    ];
    return { output, states: [last] };
  }

  protected override steps(
    x: Tensor,
    states: readonly Tensor[],
    [weightIh, weightHh, biasIh, biasHh]: readonly (Tensor | null)[],
    dropState: (state: Tensor) => Tensor,
    reverse: boolean,
  ): Run {
    const inputs = unbind.call([linear.call([x, weightIh, biasIh]), 1]) as Tensor[];
    const outputs: Tensor[] = [];
    let h = states[0] as Tensor;
    for (const input of reverse ? inputs.reverse() : inputs) {
      const [r, z, n] = chunk.call([input, 3, 1]) as Tensor[];
      const [rOfState, zOfState, nOfState] = chunk.call([
        linear.call([dropState(h), weightHh, biasHh]),
        3,
        1,
      ]) as Tensor[];
      const reset = sigmoid.call([add.call([r, rOfState])]);
      const update = sigmoid.call([add.call([z, zOfState])]);
      const next = tanh.call([addcmul.call([n, reset, nOfState])]);
      h = lerp.call([next, h, update]) as Tensor;
      outputs.push(h);
    }
    return { output: stack.call([reverse ? outputs.reverse() : outputs, 1]) as Tensor, states: [h] };
  }
}

import { Operator, type Tensor } from '@shallows/torch';
import { Recurrent, type RecurrentOptions, type Run } from './recurrent.js';

const lstm = new Operator('aten::lstm', 'input');
const lstmCell = new Operator('aten::lstm_cell');
const unbind = new Operator('aten::unbind', 'int');
const stack = new Operator('aten::stack');

/** The states of an {@link LSTM}, each `[layers · directions, B, hiddenSize]`. */
export interface LSTMState {
  readonly h: Tensor;
  readonly c: Tensor;
}

/**
 * PyTorch's long short-term memory (Hochreiter and Schmidhuber 1997):
 * i, f, g, o = W_ih·x + b_ih + W_hh·h + b_hh; c ← σ(f)·c + σ(i)·tanh(g); h ← σ(o)·tanh(c).
 *
 * Keys are `weight_ih_l0`, `weight_hh_l0`, `bias_ih_l0`, `bias_hh_l0`, for the other direction with `_reverse`. Steps are one
 * fused operator as long as no state is dropped.
 */
export class LSTM extends Recurrent<LSTMState> {
  /**
   * Starts as PyTorch's does: all from U(−1/√hiddenSize, 1/√hiddenSize), a function of the key.
   *
   * @throws ShallowsError for sizes that are no whole numbers from 1, or without a key
   */
  constructor(inputSize: number, hiddenSize: number, options: RecurrentOptions) {
    super('LSTM', { gates: 4, states: 2 }, inputSize, hiddenSize, options);
  }

  protected override pack([h, c]: readonly Tensor[]): LSTMState {
    return { h: h as Tensor, c: c as Tensor };
  }

  protected override unpack({ h, c }: LSTMState): readonly Tensor[] {
    return [h, c];
  }

  protected override fused(
    x: Tensor,
    states: readonly Tensor[],
    weights: readonly Tensor[],
    { layers, bidirectional, train, batchFirst }: Parameters<Recurrent<LSTMState>['fused']>[3],
  ): Run {
    const biased = weights.length === 4 * layers * (bidirectional ? 2 : 1);
    const [output, ...last] = lstm.call([x, states, weights, biased, layers, 0, train, bidirectional, batchFirst]) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    return { output, states: last };
  }

  protected override steps(
    x: Tensor,
    states: readonly Tensor[],
    weights: readonly (Tensor | null)[],
    dropState: (state: Tensor) => Tensor,
    reverse: boolean,
  ): Run {
    const inputs = unbind.call([x, 1]) as Tensor[];
    const outputs: Tensor[] = [];
    let [h, c] = states as [Tensor, Tensor];
    for (const input of reverse ? inputs.reverse() : inputs) {
      [h, c] = lstmCell.call([input, [dropState(h), c], ...weights]) as [Tensor, Tensor];
      outputs.push(h);
    }
    return { output: stack.call([reverse ? outputs.reverse() : outputs, 1]) as Tensor, states: [h, c] };
  }
}

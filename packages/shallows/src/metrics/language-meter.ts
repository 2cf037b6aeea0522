import { Operator, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../errors.js';
import { crossEntropy } from '../nn/index.js';
import { DeviceSums } from './device-sums.js';
import { requireRows } from './empty.js';
import type { Meter, MeterKind } from './meter.js';

const argmax = new Operator('aten::argmax');
const eq = new Operator('aten::eq', 'Tensor');
const ne = new Operator('aten::ne', 'Scalar');
const sumOver = new Operator('aten::sum', 'dim_IntList');
const reshape = new Operator('aten::reshape');

/** Targets that count for nothing, as in PyTorch's `cross_entropy`. */
const IGNORED = -100;

/**
 * Mean cross entropy and next-token accuracy over tokens, summed in float64 on the device of the logits. Targets of −100
 * do not count.
 *
 * Adding does not wait for the device.
 */
export class LanguageMeter implements Meter {
  readonly #sums = new DeviceSums(3);

  /**
   * @param logits `[B, T, V]`
   * @param targets int64 `[B, T]`
   * @throws ShallowsError for other shapes
   */
  add(logits: Tensor, targets: Tensor): void {
    const [batch = 0, length = 0, words = 0] = logits.shape;
    if (logits.ndim !== 3 || words === 0 || targets.shape.join() !== [batch, length].join()) {
      const got = `[${logits.shape.join(', ')}] and [${targets.shape.join(', ')}]`;
      throw new ShallowsError(
        `LanguageMeter: expected logits [B, T, V] and targets [B, T], got ${got} - give one row of logits a token`,
      );
    }
    this.#sums.add(() => {
      const flat = reshape.call([logits, [batch * length, words]]) as Tensor;
      const tokens = reshape.call([targets, [batch * length]]) as Tensor;
      const losses = crossEntropy(flat, tokens, { reduction: 'none', ignoreIndex: IGNORED });
      const correct = eq.call([argmax.call([flat, 1]), tokens]);
      const total = (each: unknown): Tensor => sumOver.call([each, [0], true], { dtype: 'float64' }) as Tensor;
      return [total(losses), total(correct), total(ne.call([tokens, IGNORED]))];
    });
  }

  /** Σ loss, Σ correct, tokens. */
  take(): readonly number[] {
    return this.#sums.take();
  }
}

/** Loss (mean cross entropy a token, in nats), `perplexity`, e to the loss, and `accuracy` of the next token. */
export const languageMeters: MeterKind = Object.freeze({
  create: () => new LanguageMeter(),
  metrics: (sums: readonly number[]) => {
    const [total = 0, correct = 0, count = 0] = requireRows('LanguageMeter', sums, 2);
    const loss = total / count;
    return { loss, perplexity: Math.exp(loss), accuracy: correct / count };
  },
});

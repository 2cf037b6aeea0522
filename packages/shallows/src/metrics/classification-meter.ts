import { fromTypedArray, keep, noGrad, ops, scope, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../errors.js';
import { crossEntropy } from '../nn/index.js';

/** What a {@link ClassificationMeter} measured. */
export interface ClassificationResult {
  /** Mean cross entropy over the rows, in nats. */
  readonly loss: number;
  /** Share of the rows whose largest logit is the target's; the first of equal ones counts. */
  readonly accuracy: number;
  /** Rows measured. */
  readonly count: number;
}

/**
 * Mean cross entropy and top-1 accuracy over batches of any sizes, summed in float64 on the device of the logits.
 *
 * Adding does not wait for the device; `result()` reads both sums back at once and frees them.
 */
export class ClassificationMeter {
  #sums: Tensor | null = null;
  #count = 0;

  /**
   * @param logits `[B, C]`
   * @param targets int64 `[B]`
   */
  add(logits: Tensor, targets: Tensor): void {
    const [batch = 0, classes = 0] = logits.shape;
    if (logits.ndim !== 2 || classes === 0 || targets.ndim !== 1 || targets.shape[0] !== batch) {
      const got = `[${logits.shape.join(', ')}] and [${targets.shape.join(', ')}]`;
      throw new ShallowsError(
        `ClassificationMeter: expected logits [B, C] and targets [B], got ${got} - flatten other shapes`,
      );
    }
    this.#sums ??= keep(fromTypedArray(new Float64Array(2), [2], { device: logits.device }));
    const sums = this.#sums;
    noGrad(() =>
      scope(() => {
        const losses = crossEntropy(logits, targets, { reduction: 'none' });
        const correct: Tensor = ops.aten.eq.Tensor(ops.aten.argmax.default(logits, 1), targets);
        const total = (each: Tensor): Tensor => ops.aten.sum.default(each, { dtype: 'float64' });
        ops.aten.add_.Tensor(sums, ops.aten.stack.default([total(losses), total(correct)]));
      }),
    );
    this.#count += batch;
  }

  /**
   * The means over all rows added; the meter is then empty again.
   *
   * @throws ShallowsError when no row was added
   */
  result(): ClassificationResult {
    if (this.#sums === null || this.#count === 0) {
      throw new ShallowsError('ClassificationMeter: expected at least one row, got none - add a batch first');
    }
    using sums = this.#sums;
    const count = this.#count;
    const [loss = 0, correct = 0] = Array.from(sums.toArray(), Number);
    this.#sums = null;
    this.#count = 0;
    return { loss: loss / count, accuracy: correct / count, count };
  }
}

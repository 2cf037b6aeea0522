import { Operator, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../errors.js';
import { crossEntropy } from '../nn/index.js';
import { DeviceSums } from './device-sums.js';
import { requireRows } from './empty.js';
import type { Meter, MeterKind } from './meter.js';

const argmax = new Operator('aten::argmax');
const eq = new Operator('aten::eq', 'Tensor');
const sumOver = new Operator('aten::sum', 'dim_IntList');
const onesLike = new Operator('aten::ones_like');

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
 * Adding does not wait for the device; `result()` reads all sums back at once and frees them.
 */
export class ClassificationMeter implements Meter {
  readonly #sums = new DeviceSums(3);

  /**
   * @param logits `[B, C]`
   * @param targets int64 `[B]`
   * @throws ShallowsError for other shapes
   */
  add(logits: Tensor, targets: Tensor): void {
    const [batch = 0, classes = 0] = logits.shape;
    if (logits.ndim !== 2 || classes === 0 || targets.ndim !== 1 || targets.shape[0] !== batch) {
      const got = `[${logits.shape.join(', ')}] and [${targets.shape.join(', ')}]`;
      throw new ShallowsError(
        `ClassificationMeter: expected logits [B, C] and targets [B], got ${got} - flatten other shapes`,
      );
    }
    this.#sums.add(() => {
      const losses = crossEntropy(logits, targets, { reduction: 'none' });
      const correct = eq.call([argmax.call([logits, 1]), targets]);
      const total = (each: unknown): Tensor => sumOver.call([each, [0], true], { dtype: 'float64' }) as Tensor;
      return [total(losses), total(correct), total(onesLike.call([targets]))];
    });
  }

  /** Σ loss, Σ correct, rows. */
  take(): readonly number[] {
    return this.#sums.take();
  }

  /**
   * The means over all rows added; the meter is then empty again.
   *
   * @throws ShallowsError when no row was added
   */
  result(): ClassificationResult {
    const [loss = 0, correct = 0, count = 0] = requireRows('ClassificationMeter', this.take(), 2);
    return { loss: loss / count, accuracy: correct / count, count };
  }
}

/** Loss (mean cross entropy, in nats) and accuracy of logits `[B, C]` against classes `[B]`. */
export const classificationMeters: MeterKind = Object.freeze({
  create: () => new ClassificationMeter(),
  metrics: (sums: readonly number[]) => {
    const [loss = 0, correct = 0, count = 0] = requireRows('ClassificationMeter', sums, 2);
    return { loss: loss / count, accuracy: correct / count };
  },
});

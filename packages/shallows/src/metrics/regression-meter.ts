import { Operator, type Tensor } from '@shallows/torch';
import { ShallowsError } from '../errors.js';
import { DeviceSums } from './device-sums.js';
import { requireRows } from './empty.js';
import type { Meter, MeterKind } from './meter.js';

const toDouble = new Operator('aten::to', 'dtype');
const reshape = new Operator('aten::reshape');
const sub = new Operator('aten::sub', 'Tensor');
const abs = new Operator('aten::abs');
const square = new Operator('aten::square');
const sumOver = new Operator('aten::sum', 'dim_IntList');
const onesLike = new Operator('aten::ones_like');

/** Places of the sums, after the count. */
const SQUARE = 1;
const ABSOLUTE = 2;
const TARGET = 3;
const TARGET_SQUARE = 4;

/**
 * Sums of squared and absolute errors and of the targets, an output at a time, in float64 on the device of the outputs.
 *
 * Adding does not wait for the device.
 */
export class RegressionMeter implements Meter {
  readonly #sums: DeviceSums;

  /** @param outputs numbers that a row has, k */
  constructor(readonly outputs = 1) {
    this.#sums = new DeviceSums(1 + 4 * outputs);
  }

  /**
   * @param predictions `[B, k]`, or another shape of B · k elements
   * @param targets of the same shape
   * @throws ShallowsError for two shapes, or other than k elements a row
   */
  add(predictions: Tensor, targets: Tensor): void {
    const { shape } = predictions;
    const [rows = 0] = shape;
    const got = `[${shape.join(', ')}] and [${targets.shape.join(', ')}]`;
    if (shape.join() !== targets.shape.join()) {
      throw new ShallowsError(
        `RegressionMeter: expected predictions and targets of one shape, got ${got} - reshape one of them`,
      );
    }
    if (predictions.numel !== rows * this.outputs) {
      throw new ShallowsError(
        `RegressionMeter: expected ${this.outputs} numbers a row, got ${got} - make the meter for as many`,
      );
    }
    this.#sums.add(() => {
      const wide = (each: Tensor): Tensor =>
        toDouble.call([reshape.call([each, [rows, this.outputs]]), 'float64']) as Tensor;
      const y = wide(targets);
      const error = sub.call([wide(predictions), y]);
      const total = (each: unknown): Tensor => sumOver.call([each, [0]]) as Tensor;
      const count = reshape.call([sumOver.call([onesLike.call([y]), [0, 1]]), [1]]) as Tensor;
      const sums = [square.call([error]), abs.call([error]), y, square.call([y])].map(total);
      return [count, ...sums];
    });
  }

  /** Elements, then for each output Σ e², Σ |e|, Σ y, Σ y². */
  take(): readonly number[] {
    return this.#sums.take();
  }
}

/**
 * Loss and `rmse`, the mean squared error and its root; `mae`, the mean absolute error; `r2`, 1 − Σ e² / Σ (y − ȳ)², the mean
 * over outputs, as scikit-learn's `r2_score`: for targets that do not vary 1 where all are met, else 0.
 *
 * Σ (y − ȳ)² is Σ y² − (Σ y)² / n in float64: exact to about 10⁻¹⁶ · (1 + mean² / variance) of itself.
 *
 * @param outputs numbers that a row has
 */
export function regressionMeters(outputs = 1): MeterKind {
  return Object.freeze({
    create: () => new RegressionMeter(outputs),
    metrics: (sums: readonly number[]) => {
      const [elements = 0] = requireRows('RegressionMeter', sums, 0);
      const rows = elements / outputs;
      const of = (which: number, output: number): number => sums[1 + (which - 1) * outputs + output] ?? 0;
      let [squared, absolute, explained] = [0, 0, 0];
      for (let output = 0; output < outputs; output++) {
        const error = of(SQUARE, output);
        const varied = of(TARGET_SQUARE, output) - of(TARGET, output) ** 2 / rows;
        const noise = 64 * Number.EPSILON * of(TARGET_SQUARE, output);
        squared += error;
        absolute += of(ABSOLUTE, output);
        explained += varied > noise ? 1 - error / varied : error === 0 ? 1 : 0;
      }
      const loss = squared / elements;
      return { loss, rmse: Math.sqrt(loss), mae: absolute / elements, r2: explained / outputs };
    },
  });
}

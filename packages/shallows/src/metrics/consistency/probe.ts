import { type DType, fromTypedArray, noGrad, scope, type Tensor } from '@shallows/torch';
import { ShallowsError, shown } from '../../errors.js';
import { deriveKey, type Key, permutation, rootKey } from '../../random/index.js';
import { type Difference, differenceOf, NO_DIFFERENCE, worse } from './difference.js';

/** How a model is probed. */
export interface ProbeOptions {
  /** How often the same batch is given, from 2. */
  readonly repeats?: number;
  /** How many rows are given alone, from 1. */
  readonly singles?: number;
  /** Decides the order of the shuffled batch. */
  readonly key?: Key;
  /**
   * How far numbers may be apart where the same row comes in another batch, as a share of the largest number of its output.
   * By dtype unless given: 1e-10 for float64, 1e-5 for float32, 1e-2 for float16 and bfloat16, 0 for whole numbers.
   */
  readonly rtol?: number;
}

/** Whether the same row always gets the same answer. */
export interface ConsistencyReport {
  readonly rows: number;
  readonly dtype: DType;
  readonly rtol: number;
  /** The same batch again: must not differ in a single bit. */
  readonly repeated: Difference;
  /** Rows alone against rows among others. */
  readonly alone: Difference;
  /** Rows at other places of the batch. */
  readonly shuffled: Difference;
  /**
   * `random`: the same batch gave another answer, as a model in training mode or a kernel that is not deterministic does.
   * `depends on the batch`: the answer of a row moved by more than `rtol` with the rows beside it, as batch norm in training
   * mode does. `consistent`: neither.
   */
  readonly verdict: 'consistent' | 'random' | 'depends on the batch';
}

const tolerances: Partial<Record<DType, number>> = { float64: 1e-10, float32: 1e-5, float16: 1e-2, bfloat16: 1e-2 };

/**
 * Gives a model the same rows several times, alone, and in another order, and compares its answers.
 *
 * @param predict maps rows `[N, …]` to answers `[N, …]`; runs without gradients, its tensors are freed
 * @param rows `[N, …]`, from two rows; real ones, as constant inputs hide a dependence on the batch
 * @throws ShallowsError for fewer rows, options out of range, or answers that are not one a row
 */
export function consistencyProbe(
  predict: (rows: Tensor) => Tensor,
  rows: Tensor,
  { repeats = 3, singles = 16, key = rootKey(0), rtol }: ProbeOptions = {},
): ConsistencyReport {
  const [count = 0] = rows.shape;
  const whole = (value: number, from: number): boolean => Number.isSafeInteger(value) && value >= from;
  if (count < 2 || !whole(repeats, 2) || !whole(singles, 1) || !(rtol === undefined || rtol >= 0)) {
    throw new ShallowsError(
      `consistencyProbe: expected at least two rows, two repeats, one single and rtol from 0, got ${count}, ${shown(repeats)}, ${shown(singles)} and ${shown(rtol)} - correct them`,
    );
  }
  const answers = (given: Tensor): Tensor => {
    const answer = predict(given);
    if (answer.shape[0] === given.shape[0]) return answer;
    throw new ShallowsError(
      `consistencyProbe: expected an answer for each of ${given.shape[0]} rows, got [${answer.shape.join(', ')}] - return one a row`,
    );
  };
  return noGrad(() =>
    scope(() => {
      const reference = answers(rows);
      const tolerance = rtol ?? tolerances[reference.dtype] ?? 0;
      const against = (answer: Tensor, expected: Tensor): Difference =>
        scope(() => differenceOf(answer, expected, tolerance));

      let repeated = NO_DIFFERENCE;
      for (let i = 1; i < repeats; i++)
        repeated = worse(
          repeated,
          scope(() => against(answers(rows), reference)),
        );

      let alone = NO_DIFFERENCE;
      for (let i = 0; i < Math.min(singles, count); i++) {
        alone = worse(
          alone,
          scope(() => against(answers(rows.narrow(0, i, 1)), reference.narrow(0, i, 1))),
        );
      }

      const order = BigInt64Array.from(permutation(deriveKey(key, 'probe'), count), BigInt);
      const index = fromTypedArray(order, [count], { device: rows.device });
      const moved = answers(rows.indexSelect(0, index));
      const shuffled = against(moved, reference.indexSelect(0, index.to(reference.device)));

      const kept = alone.within && shuffled.within;
      const verdict = !repeated.bitwise ? 'random' : kept ? 'consistent' : 'depends on the batch';
      return { rows: count, dtype: reference.dtype, rtol: tolerance, repeated, alone, shuffled, verdict };
    }),
  );
}

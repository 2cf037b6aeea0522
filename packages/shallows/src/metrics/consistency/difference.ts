import type { Tensor } from '@shallows/torch';

/** How far two answers are apart. */
export interface Difference {
  /** Every bit is the same. */
  readonly bitwise: boolean;
  /** The largest |a − b|; ∞ where a number stands against NaN. */
  readonly largest: number;
  /** Every |a − b| is within the tolerance times the largest |number| of its row. */
  readonly within: boolean;
}

/** @internal The difference of a thing from itself. */
export const NO_DIFFERENCE: Difference = Object.freeze({ bitwise: true, largest: 0, within: true });

/** @internal The worse of two differences in each respect. */
export function worse(a: Difference, b: Difference): Difference {
  return {
    bitwise: a.bitwise && b.bitwise,
    largest: Math.max(a.largest, b.largest),
    within: a.within && b.within,
  };
}

/** @internal @param got `[N, …]` @param expected `[N, …]` */
export function differenceOf(got: Tensor, expected: Tensor, rtol: number): Difference {
  const sameForm = got.dtype === expected.dtype && got.shape.join() === expected.shape.join();
  if (!sameForm) return { bitwise: false, largest: Number.POSITIVE_INFINITY, within: false };
  const [rows = 1] = expected.shape;
  const bytes = got.toBytes();
  const bitwise = expected.toBytes().every((byte, i) => byte === bytes[i]);
  if (bitwise) return NO_DIFFERENCE;
  const [a, b] = [got, expected].map((each) => Float64Array.from(each.toArray(), Number));
  const perRow = (a?.length ?? 0) / rows;
  let largest = 0;
  let within = true;
  for (let row = 0; row < rows; row++) {
    let scale = 0;
    let furthest = 0;
    for (let i = row * perRow; i < (row + 1) * perRow; i++) {
      const [x = 0, y = 0] = [a?.[i], b?.[i]];
      // Object.is: NaN against NaN and ∞ against ∞ are no difference.
      const apart = Object.is(x, y) || x === y ? 0 : Math.abs(x - y);
      furthest = Math.max(furthest, Number.isNaN(apart) ? Number.POSITIVE_INFINITY : apart);
      if (Number.isFinite(y)) scale = Math.max(scale, Math.abs(y));
    }
    largest = Math.max(largest, furthest);
    if (!(furthest <= rtol * scale)) within = false;
  }
  return { bitwise, largest, within };
}

const codes = { none: 0, mean: 1, sum: 2 } as const;

/** What a loss gives: a value for each target (`none`), their mean, or their sum. */
export type LossReduction = keyof typeof codes;

/** @internal */
export const reductions: readonly string[] = Object.keys(codes);

/** @internal libtorch's number for a reduction; NaN for another word. */
export function reductionCode(reduction: LossReduction): number {
  return Object.hasOwn(codes, reduction) ? codes[reduction] : Number.NaN;
}

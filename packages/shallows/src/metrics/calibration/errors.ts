/** What lay in one bin of confidences. */
export interface BinCounts {
  readonly count: number;
  /** Mean confidence of its rows. */
  readonly confidence: number;
  /** Share of its rows that were right. */
  readonly accuracy: number;
}

/** Gaps |accuracy − confidence| of bins, weighed by the share n_b / n of their rows. */
export interface CalibrationErrors {
  /** Expected: Σ n_b/n · gap. */
  readonly ece: number;
  /** Maximum: the largest gap. */
  readonly mce: number;
  /** Root mean square: √(Σ n_b/n · gap²). */
  readonly rmsce: number;
}

/** @internal The three errors of bins; empty ones count for nothing. */
export function calibrationErrors(bins: readonly BinCounts[]): CalibrationErrors {
  let [rows, ece, mce, squares] = [0, 0, 0, 0];
  for (const { count, confidence, accuracy } of bins) {
    if (count === 0) continue;
    const gap = Math.abs(accuracy - confidence);
    rows += count;
    ece += count * gap;
    squares += count * gap * gap;
    mce = Math.max(mce, gap);
  }
  return { ece: ece / rows, mce, rmsce: Math.sqrt(squares / rows) };
}

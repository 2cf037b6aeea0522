/** A share that was measured on some rows. */
export interface Proportion {
  /** In [0, 1]. */
  readonly share: number;
  readonly rows: number;
}

/** z of 95 % on both sides. */
export const Z_95 = 1.959963984540054;

/** Standard error of a share of independent rows, `√(p(1 − p)/n)`; infinite of no row. */
export function proportionError({ share, rows }: Proportion): number {
  return rows > 0 ? Math.sqrt((share * (1 - share)) / rows) : Number.POSITIVE_INFINITY;
}

/** A difference of two shares and what chance alone makes of it. */
export interface ProportionDifference {
  /** a − b. */
  readonly difference: number;
  /** Standard error of the difference. */
  readonly error: number;
  /** The 95 % interval of the difference. */
  readonly interval: readonly [low: number, high: number];
  /** True where the interval leaves zero out: chance alone does not explain the difference. */
  readonly beyondNoise: boolean;
}

/**
 * Difference of two shares with its 95 % interval: one success and one failure are added to each, so that shares of 0 and 1
 * on few rows are no certainty.
 *
 * The rows count as independent; for two models on the same rows the interval is wider than it need be.
 *
 * @see Agresti and Caffo, "Simple and effective confidence intervals for proportions and differences of proportions", 2000
 */
export function proportionDifference(a: Proportion, b: Proportion): ProportionDifference {
  const [p, q] = [adjusted(a), adjusted(b)];
  const error = Math.hypot(proportionError(p), proportionError(q));
  const centre = p.share - q.share;
  const interval = [centre - Z_95 * error, centre + Z_95 * error] as const;
  return { difference: a.share - b.share, error, interval, beyondNoise: interval[0] > 0 || interval[1] < 0 };
}

function adjusted({ share, rows }: Proportion): Proportion {
  return { share: (share * rows + 1) / (rows + 2), rows: rows + 2 };
}

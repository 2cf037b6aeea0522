/** Which way a metric is good: accuracy `higher`, loss `lower`. */
export type Better = 'higher' | 'lower';

/** Where in a run something was: counts of what was finished by then. */
export interface TrainingPoint {
  readonly epoch: number;
  readonly batch: number;
  readonly sample: number;
  readonly elapsedMs: number;
}

/** How much better `a` is than `b`: `a − b`, or `b − a` where lower is better. */
export function gain(a: number, b: number, better: Better): number {
  return better === 'higher' ? a - b : b - a;
}

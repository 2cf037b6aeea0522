import { type Better, gain } from './direction.js';

/** What {@link costPerGain} compares. */
export interface CostOptions {
  readonly deviceHours: number;
  readonly value: number;
  /** The metric of the run that it is measured against. */
  readonly baseline: number;
  readonly better: Better;
  /** Standard error of the difference. */
  readonly error: number;
}

/**
 * Device-hours for a unit of the metric: `deviceHours / max(gain, error)`. A gain that chance explains counts as the error, so
 * that luck does not look cheap.
 *
 * @returns infinite where neither is above zero
 */
export function costPerGain({ deviceHours, value, baseline, better, error }: CostOptions): number {
  const gained = Math.max(gain(value, baseline, better), error);
  return gained > 0 ? deviceHours / gained : Number.POSITIVE_INFINITY;
}

/** A run as a point of cost against worth. */
export interface CostPoint {
  readonly deviceHours: number;
  readonly value: number;
}

/**
 * For each run, the index of one that is at least as good for at most the cost, and better in one of both: such a run is not on
 * the Pareto front. Null for those that are.
 */
export function dominatedBy(points: readonly CostPoint[], better: Better): readonly (number | null)[] {
  return points.map((point) => {
    const index = points.findIndex((other) => {
      const [worth, saved] = [gain(other.value, point.value, better), point.deviceHours - other.deviceHours];
      return worth >= 0 && saved >= 0 && (worth > 0 || saved > 0);
    });
    return index === -1 ? null : index;
  });
}

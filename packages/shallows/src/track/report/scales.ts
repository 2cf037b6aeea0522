import type { History } from './history.js';

/** From the start to where the longest run got. */
export function epochScale(histories: readonly History[]): { domain: [number, number] } {
  const ends = histories.flatMap(({ epochs, last }) => [epochs, last?.x ?? 0]);
  return { domain: [0, Math.max(...ends) || 1] };
}

/** The smallest and the largest of finite numbers. */
export function extent(values: readonly number[]): [low: number, high: number] {
  return values.reduce<[number, number]>(
    ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY],
  );
}

/** The powers of ten around the numbers above zero: a logarithmic axis has too many ticks by itself. */
export function decades(values: readonly number[]): number[] {
  const [low, high] = extent(values.filter((value) => Number.isFinite(value) && value > 0).map(Math.log10));
  const [first, last] = [Math.floor(low), Math.ceil(high)];
  return Array.from({ length: last - first + 1 }, (_, i) => 10 ** (first + i));
}

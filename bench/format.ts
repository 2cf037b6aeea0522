import type { Spread } from './statistics.js';

/** Three digits that count, without an exponent. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  if (size >= 100) return String(Math.round(value));
  return value.toFixed(size >= 10 ? 1 : size >= 1 ? 2 : 3);
}

/** `12.3 (11.9 – 13.0)`: median, smallest and largest. */
export function spreadText(value: Spread | null): string {
  if (value === null) return '–';
  return value.count === 1
    ? figure(value.median)
    : `${figure(value.median)} (${figure(value.low)} – ${figure(value.high)})`;
}

/** The same with two digits after the point. */
export function ratioText(value: Spread | null): string {
  if (value === null) return '–';
  const { median, low, high, count: rounds } = value;
  return rounds === 1 ? median.toFixed(3) : `${median.toFixed(3)} (${low.toFixed(3)} – ${high.toFixed(3)})`;
}

/** `1 thread`, `2 threads`. */
export function count(number: number, thing: string): string {
  return `${number} ${thing}${number === 1 ? '' : 's'}`;
}

import { fixed, scientific, whole } from './number.js';

/** How the elements of one tensor are written: all in one width. */
export interface Formatter {
  readonly width: number;
  format(value: number | bigint): string;
}

/** Whole numbers as they are. */
export function integerFormatter(values: ArrayLike<number | bigint>): Formatter {
  return padded(
    String,
    Array.from(values, (each) => String(each).length),
  );
}

/** True and False. */
export function booleanFormatter(values: ArrayLike<number | bigint>): Formatter {
  const format = (value: number | bigint): string => (Number(value) === 0 ? 'False' : 'True');
  return padded(
    format,
    Array.from(values, (each) => format(each).length),
  );
}

/**
 * Floating point numbers as PyTorch chooses: without decimals where all are whole, with an exponent where they differ by
 * more than 1000, lie above 10⁸ or below 10⁻⁴, with four decimals otherwise.
 */
export function floatFormatter(values: ArrayLike<number | bigint>): Formatter {
  const counted = Array.from(values, Number).filter((each) => Number.isFinite(each) && each !== 0);
  const withPoint = (value: number): string => (Number.isFinite(value) ? `${whole(value)}.` : whole(value));
  if (counted.length === 0) return padded((value) => withPoint(Number(value)), []);
  let min = Number.POSITIVE_INFINITY;
  let max = 0;
  for (const each of counted) {
    min = Math.min(min, Math.abs(each));
    max = Math.max(max, Math.abs(each));
  }
  const format =
    max / min > 1000 || max > 1e8 || min < 1e-4 ? scientific : counted.every(Number.isInteger) ? withPoint : fixed;
  return padded(
    (value) => format(Number(value)),
    counted.map((each) => format(each).length),
  );
}

function padded(format: (value: number | bigint) => string, widths: readonly number[]): Formatter {
  const width = widths.reduce((a, b) => Math.max(a, b), 1);
  return { width, format: (value) => format(value).padStart(width) };
}

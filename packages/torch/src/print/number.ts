/** The digits after the point, as PyTorch prints. */
export const precision = 4;

/** `f'{value:.4f}'` of Python: the nearest decimal, ties to even. */
export function fixed(value: number): string {
  if (!Number.isFinite(value)) return special(value);
  // Four decimals lie halfway between two only for odd multiples of 1/32.
  if (Math.abs(value * 32) % 2 === 1) {
    const scaled = Math.abs(value) * 10 ** precision;
    const below = Math.floor(scaled);
    const digits = String(below % 2 === 0 ? below : below + 1).padStart(precision + 1, '0');
    return `${value < 0 ? '-' : ''}${digits.slice(0, -precision)}.${digits.slice(-precision)}`;
  }
  return (Object.is(value, -0) ? '-' : '') + value.toFixed(precision);
}

/** `f'{value:.0f}'` of Python for whole numbers, infinities and NaN. */
export function whole(value: number): string {
  if (!Number.isFinite(value)) return special(value);
  return (Object.is(value, -0) ? '-' : '') + BigInt(value).toString();
}

/** `f'{value:.4e}'` of Python. */
export function scientific(value: number): string {
  if (!Number.isFinite(value)) return special(value);
  const [mantissa = '', exponent = ''] = halfEven(value).split('e');
  const sign = exponent.startsWith('-') ? '-' : '+';
  return `${Object.is(value, -0) ? '-' : ''}${mantissa}e${sign}${exponent.slice(1).padStart(2, '0')}`;
}

function halfEven(value: number): string {
  const rounded = value.toExponential(precision);
  const exact = value.toExponential(100);
  const rest = exact.slice(exact.indexOf('.') + 1 + precision, exact.indexOf('e'));
  if (!/^50*$/.test(rest)) return rounded;
  // JavaScript rounds ties away from zero: where that gave an odd digit, the digits cut off were the even ones.
  const kept = exact.slice(0, exact.indexOf('.') + 1 + precision);
  return Number(kept.at(-1)) % 2 === 0 ? kept + exact.slice(exact.indexOf('e')) : rounded;
}

function special(value: number): string {
  return Number.isNaN(value) ? 'nan' : value > 0 ? 'inf' : '-inf';
}

/** A decimal number `digits · 10^exponent`, exactly. */
export interface Decimal {
  readonly digits: bigint;
  readonly exponent: number;
}

/** The shortest decimal text of a double is the decimal which the user wrote: this is that, not its binary neighbour. */
export function decimal(value: number): Decimal {
  const [digits = '0', exponent = '0'] = String(value).split('e');
  const [whole = '0', fraction = ''] = digits.split('.');
  return { digits: BigInt(whole + fraction), exponent: Number(exponent) - fraction.length };
}

/** The double nearest to a decimal. */
export function toNumber({ digits, exponent }: Decimal): number {
  return Number(`${digits}e${exponent}`);
}

export function sum(a: Decimal, b: Decimal): Decimal {
  const exponent = Math.min(a.exponent, b.exponent);
  return { digits: raised(a, exponent) + raised(b, exponent), exponent };
}

export function product(a: Decimal, b: Decimal): Decimal {
  return { digits: a.digits * b.digits, exponent: a.exponent + b.exponent };
}

export function negated({ digits, exponent }: Decimal): Decimal {
  return { digits: -digits, exponent };
}

/** The smallest whole number that is not less. */
export function ceiling({ digits, exponent }: Decimal): bigint {
  if (exponent >= 0) return digits * 10n ** BigInt(exponent);
  const scale = 10n ** BigInt(-exponent);
  const quotient = digits / scale;
  return digits > 0n && digits % scale !== 0n ? quotient + 1n : quotient;
}

/** −1, 0 or 1: the sign of a − b. */
export function order(a: Decimal, b: Decimal): -1 | 0 | 1 {
  const { digits } = sum(a, negated(b));
  return digits < 0n ? -1 : digits > 0n ? 1 : 0;
}

function raised({ digits, exponent }: Decimal, to: number): bigint {
  return digits * 10n ** BigInt(exponent - to);
}

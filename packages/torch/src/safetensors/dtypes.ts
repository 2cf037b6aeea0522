import type { DType } from '../dtype.js';

// From the widest to the narrowest, which is the order of the tensors in a file.
const codes = {
  I64: 'int64',
  F64: 'float64',
  C64: 'complex64',
  F32: 'float32',
  I32: 'int32',
  BF16: 'bfloat16',
  F16: 'float16',
  I16: 'int16',
  I8: 'int8',
  U8: 'uint8',
  BOOL: 'bool',
} as const satisfies Readonly<Record<string, DType>>;

const order = Object.keys(codes);
const byDType = new Map<string, string>(Object.entries(codes).map(([code, dtype]) => [dtype, code]));

/** The codes of the format that this library reads and writes. */
export const knownCodes: readonly string[] = order;

/** The dtype behind a code of the format; undefined where libtorch here has none. */
export function dtypeOfCode(code: string): DType | undefined {
  return Object.hasOwn(codes, code) ? codes[code as keyof typeof codes] : undefined;
}

/** The code of a dtype; undefined where the format has none. */
export function codeOfDType(dtype: string): string | undefined {
  return byDType.get(dtype);
}

/** The place of a code among the tensors of a file. */
export function rankOfCode(code: string): number {
  return order.indexOf(code);
}
